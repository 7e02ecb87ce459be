# Paths that are wrong: each gets a clear answer in the language of who asks.

GET /api/v1/../../etc/passwd
--- 400

GET /api/v1/models/%zz
--- 400

GET /nothing
--- 404
{"error": "there is nothing at /nothing"}

DELETE /api/v1/status
--- 405
< Allow: GET, HEAD, OPTIONS
{"error": {"code": "invalid_argument"}}

GET /api/v1/datasets/none/versions/x
--- 404
{"error": {"code": "not_found"}}

GET /api/v1/pipeline-runs/none/events
--- 404
{"error": {"code": "not_found"}}

# A browser that leaves out the "#" is sent to the page.

GET /models
Accept: text/html
--- 302
< Location: /#/models

GET /api/v1/none
Accept: text/html
--- 404
{"error": {"code": "not_found"}}

# What cannot be listened on, kept, or opened.

$ ciclo server --root other --listen nonsense
--- 1
2> ciclo: the address to listen on must be HOST:PORT, got "nonsense"

> file
no directory

$ ciclo server --root file/below --listen 127.0.0.1:0
--- 1
2> ciclo: cannot make directory {{any}}/file: File exists

$ ciclo server --root other --listen 127.0.0.1:0 --database mysql://x
--- 1
2> ciclo: database {{any}}mysql{{any}}
