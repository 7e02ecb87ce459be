#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the tree keeps the rules which no compiler checks; docs/style.md names them.

tidy.py [ROOT]        prints PATH:LINE: what is wrong; ends with 1 when there is anything
tidy.py --self-test   shows each rule a bad sample and demands that it is found
"""

import pathlib
import re
import sys
import tempfile

IGNORED_FOLDERS = {
    ".git",
    ".deps",
    ".tools",
    ".ciclo",
    "build",
    "dist",
    "node_modules",
    "__pycache__",
}
SOURCE = {".cc", ".h"}
SPDX = "SPDX-License-Identifier: Apache-2.0"
WIDTH_MAX = 100

DOMAINS = {
    "events",
    "lineage",
    "data",
    "tracking",
    "registry",
    "migrate",
    "features",
    "train",
    "evaluate",
    "tune",
    "pipeline",
    "serve",
    "monitor",
}

# A header of a library stands in its adapter alone: (header, files that may include it).
ADAPTERS = [
    (r"sqlite3\.h", r"src/sql/sqlite\w*\.(cc|h)|bench/sql_bench\.cc"),
    (r"(libpq-fe|postgresql/.*|pg_config.*)\.h", r"src/sql/postgres\w*\.(cc|h)"),
    (r"duckdb\.h(pp)?", r"src/data/duckdb\w*\.(cc|h)"),
    (r"curl/.*", r"src/(base/curl_handles|http/client\w*|blob/s3\w*)\.cc"),
    (r"boost/.*", r"src/http/.*\.(cc|h)"),
    (r"openssl/.*", r"src/(http|auth)/.*\.(cc|h)|src/blob/sigv4\.cc"),
    (r"CLI/.*", r"src/cli/cli\.cc"),
    (r"yaml-cpp/.*", r"src/base/yaml\.cc"),
    (r"yyjson\.h", r"src/base/json\.cc"),
    (r"blake3\.h", r"src/base/hash\.cc"),
    (r"(zlib|zstd)\.h", r"src/(http|data)/\w+\.cc|src/tracking/point_codec\.cc"),
    (r"dlfcn\.h", r"(src/(train|serve)|bench)/\w+\.cc"),
]

# (pattern, what to say, files where it is allowed)
BANNED = [
    (r"\b(?:std::)?system\s*\(", "system() is banned; use compute::Launcher", None),
    (r"\bpopen\s*\(", "popen() is banned; use compute::Launcher", None),
    (r"\b(?:std::)?s?rand\s*\(", "rand() is banned; use Random", None),
    (r"\brandom_device\b|\bmt19937", "random numbers come from Random", r"tests/fuzz/.*|bench/.*"),
    (
        r"\bsystem_clock\b|\bgettimeofday\b|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)",
        "the time comes from Clock",
        r"src/base/clock\.cc",
    ),
    (
        r"\bsleep_(?:for|until)\b|\bu?sleep\s*\(|\bnanosleep\b",
        "do not sleep; wait for what is awaited",
        r"bench/.*",
    ),
    (r"\.detach\s*\(\s*\)", "threads are joined, never detached", None),
    (r"\bthrow\b", "errors are values; return an Error", r".*_test\.cc|tests/.*"),
    (r"\bco_(?:await|return|yield)\b", "coroutines are banned; see docs/decisions", None),
    (r"\bstrcpy\b|\bstrcat\b|\bsprintf\b|\bgets\b", "unbounded C string function", None),
]


class Tree:
    """The files below a root; paths are relative, with slashes."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.paths = sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob("*")
            if path.is_file() and not IGNORED_FOLDERS & set(path.relative_to(root).parts)
        )
        self.modules = parse_modules(self.text("src/CMakeLists.txt"))

    def text(self, path: str) -> str:
        file = self.root / path
        return file.read_text(errors="replace") if file.is_file() else ""

    def lines(self, path: str):
        return enumerate(self.text(path).split("\n"), 1)

    def sources(self, *folders: str):
        for path in self.paths:
            if pathlib.Path(path).suffix in SOURCE and path.startswith(
                folders or ("src/", "sdk/", "tests/", "bench/")
            ):
                yield path

    def closure(self, module: str) -> set:
        """What the module can include at all: a test may use the modules below those it tests."""
        below = set(self.modules[module])
        for dep in self.modules[module]:
            below |= self.closure(dep) if dep in self.modules else set()
        return below

    def module_of(self, path: str) -> str | None:
        """The module of `monitor/drift.h` or `api/mlflow/runs.h`."""
        folders = path.split("/")[:-1]
        for length in range(len(folders), 0, -1):
            if "/".join(folders[:length]) in self.modules:
                return "/".join(folders[:length])
        return None


def parse_modules(cmake: str) -> dict:
    """The names of modules, in order, with the names in their DEPS."""
    modules = {}
    text = re.sub(r"#.*", "", cmake)
    for call in re.finditer(r"ciclo_module\(\s*([^)]*)\)", text):
        words = call.group(1).split()
        deps, collecting = [], False
        for word in words[1:]:
            if word in ("DEPS", "EXTERNAL", "PATH"):
                collecting = word == "DEPS"
            elif collecting:
                deps.append(word)
        modules[words[0]] = deps
    return modules


def strip(source: str) -> str:
    """The source with comments and the insides of literals blanked; lines keep their numbers."""
    pattern = re.compile(
        r'R"([^()\\\s]{0,16})\((?:.|\n)*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n]){1,4}\''
        r"|//[^\n]*|/\*(?:.|\n)*?\*/"
    )
    return pattern.sub(lambda found: '""' + "\n" * found.group().count("\n"), source)


def check_module_rules(tree: Tree):
    cmake = "src/CMakeLists.txt"
    declared = []
    for module, deps in tree.modules.items():
        for dep in deps:
            if dep not in declared:
                yield cmake, 1, f"module {module} names {dep}, which is not declared above it"
            if module in DOMAINS and (dep == "http" or dep.startswith("api/")):
                yield cmake, 1, f"the domain {module} may not know {dep}"
            if module.startswith("api/") and dep.startswith("api/"):
                yield cmake, 1, f"protocols do not know one another: {module} names {dep}"
        declared.append(module)


def check_includes(tree: Tree):
    for path in tree.sources("src/"):
        inside = path.removeprefix("src/")
        module = tree.module_of(inside)
        if module is None:
            if not inside.startswith("app/"):
                yield path, 1, "belongs to no module of src/CMakeLists.txt"
            continue
        is_test = inside.endswith("_test.cc") or "/test_" in inside
        allowed = {module, *(tree.closure(module) if is_test else tree.modules[module])}
        for number, line in tree.lines(path):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not found:
                continue
            target = tree.module_of(found.group(1))
            if target is None:
                yield path, number, f'"{found.group(1)}" is in no module; include by module path'
            elif target not in allowed:
                yield path, number, f"module {module} includes {target}, which its DEPS do not name"


def check_adapters(tree: Tree):
    for path in tree.sources():
        for number, line in tree.lines(path):
            found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if not found:
                continue
            for header, files in ADAPTERS:
                if re.fullmatch(header, found.group(1)) and not re.fullmatch(files, path):
                    yield path, number, f"<{found.group(1)}> belongs in its adapter alone ({files})"


def check_banned(tree: Tree):
    for path in tree.sources():
        for number, line in enumerate(strip(tree.text(path)).split("\n"), 1):
            for pattern, message, allowed in BANNED:
                if re.search(pattern, line) and not (allowed and re.fullmatch(allowed, path)):
                    yield path, number, message
            if path.endswith(".h") and re.match(r"using namespace\b", line):
                yield path, number, "no `using namespace` in a header"


COMMENTS = {
    ".cc": "// ",
    ".h": "// ",
    ".ts": "// ",
    ".tsx": "// ",
    ".py": "# ",
    ".sh": "# ",
    ".cmake": "# ",
}


def comment_of(path: str) -> str | None:
    if path.endswith("CMakeLists.txt") or path == "dev":
        return "# "
    return COMMENTS.get(pathlib.Path(path).suffix)


def check_head(tree: Tree):
    for path in tree.paths:
        comment = comment_of(path)
        if comment is None:
            continue
        lines = tree.text(path).split("\n")
        first = 1 if lines[0].startswith("#!") else 0
        if len(lines) <= first or lines[first] != comment + SPDX:
            yield path, first + 1, f"the first line must be `{comment}{SPDX}`"
        if path.endswith(".h") and (len(lines) < 2 or lines[1] != "#pragma once"):
            yield path, 2, "the second line of a header must be `#pragma once`"


def check_lines(tree: Tree):
    for path in tree.paths:
        if comment_of(path) is None and not path.endswith((".sql", ".md")):
            continue
        text = tree.text(path)
        in_raw_string = raw_string_lines(text) if pathlib.Path(path).suffix in SOURCE else set()
        if text and not text.endswith("\n"):
            yield path, text.count("\n") + 1, "the file must end with a newline"
        for number, line in tree.lines(path):
            if line != line.rstrip():
                yield path, number, "space at the end of the line"
            if "\t" in line:
                yield path, number, "tab"
            is_wide = len(line) > WIDTH_MAX and number not in in_raw_string
            if is_wide and not is_wide_for_a_reason(path, line):
                yield path, number, f"{len(line)} characters, at most {WIDTH_MAX}"


def is_wide_for_a_reason(path: str, line: str) -> bool:
    """Tables and texts of documents, and addresses, cannot be broken."""
    return path.endswith(".md") or "://" in line


def raw_string_lines(text: str) -> set:
    """The numbers of the lines that a raw string touches: SQL and JSON stand there as they are."""
    lines = set()
    for found in re.finditer(r'R"([^()\\\s]{0,16})\((?:.|\n)*?\)\1"', text):
        first = text.count("\n", 0, found.start()) + 1
        lines.update(range(first, first + found.group().count("\n") + 1))
    return lines


def check_names(tree: Tree):
    for path in tree.paths:
        name = pathlib.Path(path)
        if name.suffix in {".cc", ".h", ".py", ".sql"} and not re.fullmatch(
            r"[a-z0-9_]+", name.stem
        ):
            yield path, 1, "file names are snake_case"


def check_links(tree: Tree):
    for path in tree.paths:
        if not path.endswith(".md"):
            continue
        in_code = False
        for number, line in tree.lines(path):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            if in_code:
                continue
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                target = target.split("#")[0]
                if not target or "://" in target or target.startswith("mailto:"):
                    continue
                if not (tree.root / path).parent.joinpath(target).exists():
                    yield path, number, f"dead link: {target}"


def check_walks(tree: Tree):
    """docs/walks.md names at most five files a walk, in a numbered list, each with a function that
    stands in it: N. `FILE` `FUNCTION`: what it does."""
    path, walk, files = "docs/walks.md", "", 0
    for number, line in tree.lines(path):
        if line.startswith("## "):
            walk, files = line[3:], 0
        found = re.match(r"\d+\. `([^`]+)`", line)
        if not found:
            continue
        files += 1
        file = found.group(1)
        function = re.match(r"\d+\. `[^`]+` `(\w+)`: ", line)
        if not (tree.root / file).is_file():
            yield path, number, f"the walk `{walk}` names {file}, which is not there"
        elif not function:
            yield path, number, f"the walk `{walk}` names no function of {file}"
        elif not re.search(rf"\b{function.group(1)}\(", strip(tree.text(file))):
            yield path, number, f"the walk `{walk}`: {file} has no {function.group(1)}()"
        if files > 5:
            yield path, number, f"the walk `{walk}` has more than five files"


def is_cmake(path: str) -> bool:
    return path.endswith(("CMakeLists.txt", ".cmake"))


def check_use(tree: Tree):
    """Sources of src/ are found by their folder; elsewhere a CMakeLists.txt must name them."""
    cmake = "\n".join(tree.text(path) for path in tree.paths if is_cmake(path))
    for path in tree.sources("tests/", "bench/"):
        folder = str(pathlib.Path(path).parent)
        is_globbed = re.search(r"GLOB\w*[^)]*\*(_\w+)?\.cc", tree.text(f"{folder}/CMakeLists.txt"))
        if (
            path.endswith(".cc")
            and not is_globbed
            and not re.search(rf"\b{pathlib.Path(path).stem}\b", cmake)
        ):
            yield path, 1, "no CMakeLists.txt builds this file"
    for path in tree.paths:
        if not path.endswith(".sql") or not path.startswith("src/"):
            continue
        found = re.fullmatch(r"src/(.+)/schema/(\d{4})_[a-z0-9_]+\.sql", path)
        if not found or found.group(1) not in tree.modules:
            yield path, 1, "SQL files are migrations: src/MODULE/schema/NNNN_name.sql"
            continue
        below = [p for p in tree.paths if p.startswith(f"src/{found.group(1)}/schema/")]
        if sorted(below).index(path) + 1 != int(found.group(2)):
            yield path, 1, "migrations are numbered from 0001 without a gap"


def check_readmes(tree: Tree):
    for module in tree.modules:
        has_source = any(
            path.startswith(f"src/{module}/") and path.endswith(".cc") for path in tree.paths
        )
        if module in DOMAINS and has_source and f"src/{module}/README.md" not in tree.paths:
            yield f"src/{module}", 1, "has a README.md: words, invariants, tables, events, limits"


def check_routes(tree: Tree):
    """Each route of the native API stands in its reference."""

    def shape(route: str) -> str:
        return re.sub(r"\{[^}]*\}|<[^>]*>|:[a-z_]+|\b[A-Z]{2,}\b", "*", route.split("?")[0])

    documented = {
        shape(route)
        for route in re.findall(r"/api/v1/[^\s`|]*", tree.text("docs/reference/api.md"))
    }
    for path in tree.sources("src/api/ciclo/"):
        if path.endswith("_test.cc"):
            continue
        for number, line in tree.lines(path):
            for route in re.findall(r'"(/api/v1/[^"]*)"', line):
                if shape(route) not in documented:
                    yield path, number, f"{route} has no entry in docs/reference/api.md"


RULES = [
    check_module_rules,
    check_includes,
    check_adapters,
    check_banned,
    check_head,
    check_lines,
    check_names,
    check_links,
    check_walks,
    check_use,
    check_readmes,
    check_routes,
]


def findings(root: pathlib.Path) -> list:
    tree = Tree(root)
    return sorted(set(finding for rule in RULES for finding in rule(tree)))


HEAD = f"// {SPDX}\n"
GOOD = {
    "src/CMakeLists.txt": f"# {SPDX}\nciclo_module(base)\nciclo_module(http DEPS base)\n"
    "ciclo_module(tracking\n  DEPS base  # and no more\n  EXTERNAL x)\n"
    "ciclo_module(api/mlflow DEPS base http tracking)\nciclo_module(api/oip DEPS tracking)\n",
    "src/base/a.h": HEAD + "#pragma once\n",
    "src/base/yaml.cc": HEAD + '#include <yaml-cpp/yaml.h>\n#include "base/a.h"\n',
    "src/base/clock.cc": HEAD + "auto t = std::chrono::system_clock::now();\n",
    "src/tracking/README.md": "See [the walks](../../docs/walks.md).\n",
    "src/tracking/t.cc": HEAD + '#include "base/a.h"\n#include "tracking/t.h"\n// never throw\n'
    "void log_metric() {}\n"
    'auto s = "throw system(";\nauto r = R"(throw\n)";\n',
    "src/tracking/sql.cc": HEAD + 'auto q = R"sql(\nSELECT ' + "a, " * 50 + '1\n)sql";\n',
    "src/tracking/t.h": HEAD + "#pragma once\n",
    "src/tracking/schema/0001_runs.sql": "CREATE TABLE runs (run_id TEXT);\n",
    "src/api/mlflow/m.cc": HEAD + '#include "tracking/t.h"\n',
    "src/api/oip/o_test.cc": HEAD + '#include "base/a.h"\n',
    "docs/walks.md": "## log a metric\n\n1. `src/tracking/t.cc` `log_metric`: writes it\n",
}
BAD = [
    ("src/tracking/x.cc", HEAD + '#include "http/s.h"\n', "tracking includes http"),
    ("src/tracking/x_test.cc", HEAD + '#include "http/s.h"\n', "tracking includes http"),
    ("src/api/oip/o.cc", HEAD + '#include "base/a.h"\n', "api/oip includes base"),
    ("src/tracking/x.cc", HEAD + '#include "t.h"\n', "in no module"),
    ("src/nowhere/x.cc", HEAD, "belongs to no module"),
    (
        "src/CMakeLists.txt",
        f"# {SPDX}\nciclo_module(tracking DEPS base)\nciclo_module(base)\n",
        "not declared above",
    ),
    (
        "src/CMakeLists.txt",
        GOOD["src/CMakeLists.txt"] + "ciclo_module(serve DEPS http)\n",
        "may not know http",
    ),
    (
        "src/CMakeLists.txt",
        GOOD["src/CMakeLists.txt"] + "ciclo_module(api/oip DEPS api/mlflow)\n",
        "one another",
    ),
    ("src/tracking/x.cc", HEAD + "#include <sqlite3.h>\n", "adapter alone"),
    ("src/tracking/x.cc", HEAD + "#include <boost/asio.hpp>\n", "adapter alone"),
    ("src/tracking/x.cc", HEAD + "int a = system(b);\n", "system() is banned"),
    ("src/tracking/x.cc", HEAD + "auto f = popen(a, b);\n", "popen() is banned"),
    ("src/tracking/x.cc", HEAD + "int a = std::rand();\n", "rand() is banned"),
    (
        "src/tracking/x.cc",
        HEAD + "auto t = std::chrono::system_clock::now();\n",
        "time comes from Clock",
    ),
    ("src/tracking/x_test.cc", HEAD + "std::this_thread::sleep_for(a);\n", "do not sleep"),
    ("src/tracking/x.cc", HEAD + "thread.detach();\n", "joined"),
    ("src/tracking/x.cc", HEAD + "if (a) throw b;\n", "errors are values"),
    ("src/tracking/x.cc", HEAD + "co_return a;\n", "coroutines"),
    ("src/tracking/x.h", HEAD + "#pragma once\nusing namespace std;\n", "using namespace"),
    ("src/tracking/x.cc", "int a;\n", "first line"),
    ("tools/x.py", "#!/usr/bin/env python3\nprint()\n", "first line"),
    ("src/tracking/x.h", HEAD + "int a;\n", "pragma once"),
    ("src/tracking/x.cc", HEAD + "int a; \n", "space at the end"),
    ("src/tracking/x.cc", HEAD + "\tint a;\n", "tab"),
    ("src/tracking/x.cc", HEAD + "int a;", "end with a newline"),
    ("src/tracking/x.cc", HEAD + "// " + "a" * 99 + "\n", "at most 100"),
    ("src/tracking/RunStore.cc", HEAD, "snake_case"),
    ("docs/x.md", "See [it](none.md).\n", "dead link"),
    ("docs/walks.md", "## w\n\n1. `src/none.cc` `f`: is gone\n", "not there"),
    ("docs/walks.md", "## w\n\n1. `src/tracking/t.cc` does it\n", "names no function"),
    ("docs/walks.md", "## w\n\n1. `src/tracking/t.cc` `gone`: does it\n", "has no gone()"),
    ("docs/walks.md", "## w\n\n" + "1. `src/tracking/t.cc`\n" * 6, "more than five"),
    ("tests/sim/lonely.cc", HEAD, "no CMakeLists.txt builds"),
    ("src/tracking/x.sql", "SELECT 1;\n", "SQL files are migrations"),
    ("src/tracking/schema/0003_x.sql", "SELECT 1;\n", "without a gap"),
    (
        "src/CMakeLists.txt",
        GOOD["src/CMakeLists.txt"] + "ciclo_module(data DEPS base)\n",
        "has a README.md",
        ("src/data/d.cc", HEAD),
    ),
    (
        "src/api/ciclo/x.cc",
        HEAD + 'router.add("GET", "/api/v1/none/{id}", f);\n',
        "no entry in docs",
    ),
]


def self_test() -> int:
    failures = 0
    samples = [("GOOD", "", None)] + BAD
    for path, content, expected, *more in samples:
        with tempfile.TemporaryDirectory() as folder:
            files = {**GOOD, **dict(more)}
            if expected is not None:
                files[path] = content
            for name, text in files.items():
                file = pathlib.Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            found = [message for _, _, message in findings(pathlib.Path(folder))]
        is_right = not found if expected is None else any(expected in message for message in found)
        if not is_right:
            failures += 1
            print(f"self-test: {path}: expected {expected!r}, found {found}")
    print(f"self-test: {len(samples) - failures} passed, {failures} failed")
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = (
        pathlib.Path(sys.argv[1])
        if len(sys.argv) > 1
        else pathlib.Path(__file__).resolve().parent.parent
    )
    found = findings(root)
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    print(f"tidy: {len(found)} findings" if found else "tidy: all rules are kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
