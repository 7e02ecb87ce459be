# A program built from other code does not take over what an older one computed; the same one does. The
# other one is a copy with another build id.

$ awk 'BEGIN { print "a,b,y"; for (i = 0; i < 400; i++) { a = (i * 7919) % 1000 / 1000; b = (i * 1047) % 997 / 997; y = a + b > 1; if (i % 7 == 0) y = !y; print a "," b "," y } }' > numbers.csv
--- 0

> ciclo.yaml
project: numbers
data:
  numbers: {files: numbers.csv}
target: {column: y, task: binary}
train:
  learner: xgboost
  parameters: {rounds: 20, max_depth: 2}

$ ciclo run
--- 0
...

$ ciclo run --plan --json
--- 0
{"steps": [{"name": "ingest_numbers", "cached": true}, {"name": "assemble", "cached": true}, {"name": "split", "cached": true}, "..."]}

> rebuild.py
import pathlib, shutil
# The stories' `ciclo` is a script that names the program in quotes.
program = pathlib.Path(pathlib.Path(shutil.which("ciclo")).read_text().split('"')[1])
code = program.read_bytes()
at = code.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
pathlib.Path("rebuilt").write_bytes(code[:at] + bytes(20) + code[at + 20:])
pathlib.Path("rebuilt").chmod(0o755)
pathlib.Path("lib").symlink_to(program.parent / "lib")

$ python3 rebuild.py && ./rebuilt run --plan --json
--- 0
{"steps": [{"name": "ingest_numbers", "cached": false, "why": "the program changed"}, "..."]}
