#!/usr/bin/python3
"""Compares what a program did with what an AppArmor profile permits. Needs no AppArmor in the kernel.

    tests/profile_coverage.py FILE PROFILE PROGRAM TRACE

FILE has the profile PROFILE, and includes what the folder packaging/apparmor and /etc/apparmor.d have. TRACE is the
prefix of what `strace -ff --decode-fds=path --output=TRACE` wrote. Counts what a process does from its execve of
PROGRAM on, and what its children do, until they execute another program. Prints a line for each access that no rule
permits, and the number of accesses. Exit status 1 if there is such a line, or if nothing was traced.

Only calls that succeeded count: for a file that does not exist, AppArmor asks no rule.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

FOLDERS = ["-I", "packaging/apparmor", "--base", "/etc/apparmor.d"]
# what the tests add to a process: its log, and a clock (libfaketime)
OF_TESTS = re.compile(r"/run/postern-tests/|/dev/shm/(sem\.|faketime)|/etc/faketimerc")
# pipe:[1], socket:[1], anon_inode:..., memory without a file
NO_FILE = re.compile(r"[a-z_]+:|/memfd:|/dev/zero \(deleted\)|/SYSV")

# The permission that each system call takes. stat(2) takes none.
BY_DESCRIPTOR = {"ftruncate": "w", "fchmod": "w", "fchown": "w", "fallocate": "w"}
BY_PATH = dict.fromkeys(("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "chmod",
                         "fchmodat", "chown", "lchown", "fchownat", "truncate", "symlink", "link", "linkat"), "w")
CAPABILITIES = {"setresuid": "setuid", "setuid": "setuid", "setresgid": "setgid", "setgid": "setgid",
                "setgroups": "setgid", "chown": "chown", "fchown": "chown"}
CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)(?:<([^>]*)>)?")


class Profile:
    """The rules of one profile, with what it includes."""

    def __init__(self, file, name):
        text = subprocess.run(["apparmor_parser", "--preprocess", *FOLDERS, file], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        self.variables = {}
        for name_, values in (match.groups() for line in lines if (match := re.match(r"@\{(\w+)\}\s*\+?=\s*(.*)", line))):
            self.variables.setdefault(name_, []).extend(value.strip('"') for value in values.split())
        start = next(number for number, line in enumerate(lines) if re.match(rf"profile {re.escape(name)}[ {{]", line))
        self.rules = lines[start + 1:lines.index("}", start)]
        self.files = [self.file_rule(*match.groups()) for rule in self.rules
                      if (match := re.match(r"(?:owner )?([/@]\S*)\s+([a-zA-Z]+)(?: -> \S+)?,", rule))]

    def file_rule(self, path, permissions):
        return re.compile(self.pattern(path)), permissions

    def pattern(self, path):
        """Returns the regular expression of a path in apparmor.d(5)."""
        while variable := re.search(r"@\{(\w+)\}", path):
            values = [value.rstrip("/") if path[variable.end():].startswith("/") else value
                      for value in self.variables[variable.group(1)]]
            path = path[:variable.start()] + "{" + ",".join(values) + "}" + path[variable.end():]
        path = re.sub(r"//+", "/", path)
        some = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
        pattern, depth = "", 0
        for part in re.findall(r"\*\*|\[[^]]*\]|\\.|.", path):
            depth += {"{": 1, "}": -1}.get(part, 0)
            if part in ("*", "**") and pattern.endswith("/"):
                # at least one character after a slash
                pattern += "[^/]" + some["*"] if part == "*" else "[^/].*"
            elif part == "," and depth:
                pattern += "|"
            else:
                pattern += some.get(part) or (part if part[0] in "[\\" else re.escape(part))
        return pattern + r"\Z"

    def permits(self, kind, what, permission=""):
        if kind == "file":
            granted = "".join(permissions for pattern, permissions in self.files if pattern.match(what))
            return all(one in granted or (one == "x" and re.search("[ipPuUcC]+x", granted)) for one in permission)
        return any(rule == f"{kind}," or rule.rstrip(",").split() == [kind, *what.split()] for rule in self.rules)


class Trace:
    """What the confined processes did."""

    def __init__(self, prefix, program):
        folder, name = Path(prefix).parent, Path(prefix).name
        self.calls = {}
        for path in folder.glob(name + ".*"):
            matches = map(CALL.match, path.read_text(errors="replace").splitlines())
            self.calls[int(path.suffix[1:])] = [match.groups() for match in matches if match]
        self.accesses = set()
        for process in list(self.calls):
            start = next((at for at, call in enumerate(self.calls[process]) if is_execution_of(call, program)), None)
            if start is not None:
                self.follow(process, start + 1, program)

    def follow(self, process, start, program):
        """Adds what a process does from a call on, and what its children do."""
        waiting = [(process, start)]
        while waiting:
            process, start = waiting.pop()
            for name, arguments, result, opened in self.calls.get(process, [])[start:]:
                if int(result) < 0:
                    continue
                if name.startswith(("clone", "fork", "vfork")):
                    waiting.append((int(result), 0))
                elif name == "execve":
                    executed = texts(arguments)[0]
                    executed = program if executed == "/proc/self/exe" else os.path.realpath(executed)
                    self.add("file", executed, "x")
                    if executed != program:
                        break
                else:
                    self.call(name, arguments, opened)

    def call(self, name, arguments, opened):
        if name in ("open", "openat", "creat", "openat2"):
            flags = arguments.replace('"', " ")
            permission = "rw" if "O_RDWR" in flags else "w" if re.search("O_WRONLY|O_CREAT|O_TRUNC", flags) else "r"
            if "O_PATH" not in flags:
                self.add("file", opened, permission)
        elif name == "mmap" and "PROT_EXEC" in arguments:
            self.add("file", descriptor(arguments), "m")
        elif name.startswith("fcntl") and re.search("F_(OFD_)?SETLK", arguments) or name == "flock":
            self.add("file", descriptor(arguments), "k")
        elif name == "connect" and (path := re.search(r'sun_path="(/[^"]*)"', arguments)):
            self.add("file", path.group(1), "w")
        elif name in BY_DESCRIPTOR:
            self.add("file", descriptor(arguments), BY_DESCRIPTOR[name])
        elif name in BY_PATH:
            for path in texts(arguments)[:2]:
                self.add("file", os.path.realpath(path) if path.startswith("/") else None, BY_PATH[name])
        elif name == "socket" and (match := re.match(r"AF_(INET6?|NETLINK), SOCK_(\w+)", arguments)):
            self.add("network", " ".join(match.groups()).lower())
        if name in CAPABILITIES:
            self.add("capability", CAPABILITIES[name])

    def add(self, kind, what, permission=""):
        if what and not (kind == "file" and (OF_TESTS.match(what) or NO_FILE.match(what))):
            self.accesses.add((kind, what, permission))


def is_execution_of(call, program):
    return call[0] == "execve" and call[2] == "0" and texts(call[1])[0] == program


def texts(arguments):
    return re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)


def descriptor(arguments):
    match = re.search(r"\d+<([^>]*)>", arguments)
    return match and match.group(1)


def main(file, name, program, prefix):
    profile, trace = Profile(file, name), Trace(prefix, program)
    missing = [access for access in sorted(trace.accesses) if not profile.permits(*access)]
    for kind, what, permission in missing:
        print(f"{name} does not permit: {kind} {what} {permission}".rstrip())
    print(f"{len(trace.accesses)} accesses of {program}")
    return 1 if missing or not trace.accesses else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
