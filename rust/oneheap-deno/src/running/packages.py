"""Packages that a program requires: a virtual environment for each set of requirements, in the cache."""

import os
import sys
import threading

# What this process has required so far, and the folders on `sys.path` that have it.
required = set()
required_paths = []
package_lock = threading.RLock()

# In an environment that is whole: what is in it.
MANIFEST = "oneheap.json"

# Why an installation failed, by what the installer said. The first that fits: where no index answers, pip finds no version either.
REASONS = (
    (
        "offline",
        r"Temporary failure in name resolution|Name or service not known|nodename nor servname|getaddrinfo|dns error"
        r"|Network is unreachable|No route to host|Failed to establish a new connection|Connection refused"
        r"|[Tt]imed out|[Tt]imeout|error sending request|network was disabled",
    ),
    ("space", r"No space left on device|Disk quota exceeded"),
    (
        "unsatisfiable",
        r"No matching distribution|ResolutionImpossible|unsatisfiable|Invalid requirement|Failed to parse"
        r"|requires a different Python|has no wheels|not found in the package registry|was not found",
    ),
    ("permission", r"Permission denied|Operation not permitted|Read-only file system"),
)


class PackageFailure(Exception):
    """Why requirements aren't met: a reason, a message, and what the installer said."""

    def __init__(self, reason, message, output=""):
        super().__init__(message)
        self.reason, self.output = reason, output


def require_packages(requirements, cache):
    """Have the packages of requirements found by imports. JSON, both ways: nothing, or why not."""
    import json

    try:
        with package_lock:
            add_packages(json.loads(requirements), cache)
        return "{}"
    except PackageFailure as failure:
        return json.dumps({"reason": failure.reason, "message": str(failure), "output": failure.output})


def add_packages(requirements, cache):
    wanted = required | set(requirements)
    if wanted == required:
        return
    folder = environment_of(sorted(wanted), cache)
    paths = package_paths(folder)
    refuse_other_versions(paths)
    add_paths(paths)
    required.update(wanted)


def environment_of(requirements, cache):
    """The folder of the environment, which is made unless it is there."""
    root = os.path.join(cache, "environments")
    folder = os.path.join(root, name_of(requirements))
    if os.path.exists(os.path.join(folder, MANIFEST)):
        require_own(cache, root, folder)
        return folder
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        require_own(cache, root)
        with file_lock(folder + ".lock"):
            if not os.path.exists(os.path.join(folder, MANIFEST)):
                make_environment(folder, requirements)
    except OSError as error:
        raise failure_of(error, folder) from error
    return folder


def name_of(requirements):
    """The name of an environment: some of what is in it, for a reader, and a hash of all that decides what is in it."""
    import hashlib
    import re
    import sysconfig

    decides = repr((requirements, sys.version_info[:2], sysconfig.get_config_var("SOABI"), sysconfig.get_platform()))
    names = [re.match(r"[\w.-]*", it)[0] for it in requirements]
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]
    return f"{'-'.join(names)[:40]}-{sys.implementation.cache_tag}-{digest}"


def require_own(*folders):
    """Fail where another user could put code into a folder."""
    if not hasattr(os, "getuid"):
        return
    for folder in folders:
        found = os.stat(folder)
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise PackageFailure(
                "permission",
                f"{folder} belongs to another user, or others may write to it. Set ONEHEAP_CACHE to a folder that is yours, "
                "and that only you can write to (chmod go-w)",
            )


class file_lock:
    """A lock between processes. It ends with the process that has it, whatever happens to that."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "a+b")
        try:
            self.take(False)
        except OSError:
            say("oneheap: waiting for another process, which installs the same packages\n")
            self.take(True)

    def take(self, wait):
        try:
            import fcntl
        except ImportError:
            return self.take_on_windows(wait)
        fcntl.flock(self.file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    def take_on_windows(self, wait):
        import msvcrt
        import time

        while True:
            try:
                self.file.seek(0)
                return msvcrt.locking(self.file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    raise
                time.sleep(0.2)

    def __exit__(self, *_):
        self.file.close()


def make_environment(folder, requirements):
    import json
    import shutil

    # One that an earlier process didn't finish.
    shutil.rmtree(folder, ignore_errors=True)
    say(f"oneheap: installing {', '.join(requirements)} in {folder}\n")
    try:
        install(folder, requirements)
        manifest = {
            "requirements": requirements,
            "python": sys.version.split()[0],
            "packages": {it.name: it.version for it in distributions(package_paths(folder))},
        }
        path = os.path.join(folder, MANIFEST)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def install(folder, requirements):
    """Make the environment and install: by uv where it is on the PATH, else by venv and pip."""
    import shutil

    if not sys.executable or not os.path.exists(sys.executable):
        raise PackageFailure("tool", "There is no executable of this Python to make an environment with: set ONEHEAP_PYTHON to it")
    scripts, suffix = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    python = os.path.join(folder, scripts, "python" + suffix)
    uv = shutil.which("uv")
    if uv is not None:
        execute([uv, "venv", "--quiet", "--python", sys.executable, folder], requirements)
        execute([uv, "pip", "install", "--python", python, *requirements], requirements)
        return
    make_venv(folder, python)
    pip = [python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    execute([*pip, *requirements], requirements)


def make_venv(folder, python):
    # pip apart: what goes wrong with it is not said by venv.
    code, output = run([sys.executable, "-I", "-m", "venv", "--without-pip", folder])
    if code == 0:
        code, output = run([python, "-I", "-m", "ensurepip", "--upgrade", "--default-pip"], shows=False)
    if code == 0:
        return
    reason = reason_of(output)
    if reason in ("space", "permission"):
        raise PackageFailure(reason, f"{folder} can't be written: {last_line(output)}", output)
    raise PackageFailure(
        "tool",
        f"{sys.executable} can't make a virtual environment (Debian and Ubuntu have that in the package python3-venv). "
        f"Install that, or uv: {last_line(output)}",
        output,
    )


def execute(command, requirements):
    code, output = run(command)
    if code == 0:
        return
    reason = reason_of(output)
    meaning = {
        "offline": "the index of packages can't be reached",
        "space": "the disk is full",
        "permission": "a file can't be written",
    }.get(reason, "the installer failed")
    said = errors_in(output)
    message = f"{', '.join(requirements)} can't be installed: " + (said if reason == "unsatisfiable" else f"{meaning}: {said}")
    raise PackageFailure(reason, message, output)


def run(command, shows=True):
    """Run a command. What it says is returned with its exit code, and goes to standard error at once if it is to be shown."""
    import subprocess

    said = []
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                while chunk := os.read(process.stdout.fileno(), 65536):
                    said.append(chunk)
                    if shows:
                        say(chunk)
            except BaseException:
                process.kill()
                raise
        return process.returncode, b"".join(said).decode("utf-8", "replace")
    except OSError as error:
        raise PackageFailure("tool", f"{command[0]} can't be run: {error}") from error


def say(text):
    """Show progress on standard error; not being able to is no reason to stop."""
    try:
        os.write(2, text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    except OSError:
        pass


def reason_of(output):
    import re

    return next((reason for reason, pattern in REASONS if re.search(pattern, output)), "failed")


def errors_in(output):
    """The lines of an installer's output that say what is wrong; the last one where none says so."""
    import re

    lines = output.splitlines()
    marked = [it.strip() for it in lines if re.match(r"\s*(ERROR|error|cause|hint|×|╰)", it)]
    return "\n".join(dict.fromkeys(marked)) or last_line(output)


def last_line(output):
    return next((it.strip() for it in reversed(output.splitlines()) if it.strip()), "it said nothing")


def failure_of(error, folder):
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PackageFailure("space", f"{folder} can't be written, for the disk is full: {error}")
    return PackageFailure("permission", f"{folder} can't be written: {error}. Set ONEHEAP_CACHE to a folder that can")


def package_paths(folder):
    """The folders of an environment's packages."""
    import sysconfig

    variables = {"base": folder, "platbase": folder, "installed_base": folder, "installed_platbase": folder}
    return list(dict.fromkeys(sysconfig.get_path(it, "venv", variables) for it in ("purelib", "platlib")))


def distributions(paths):
    from importlib.metadata import distributions

    return list(distributions(path=paths))


def refuse_other_versions(paths):
    """Fail where a package of the environment is imported already in another version: two can't be in one process."""
    wanted = [it for it in distributions(paths) if it.name]
    for distribution in wanted:
        for name in modules_of(distribution):
            origin = getattr(sys.modules.get(name), "__file__", None)
            if not origin or any(origin.startswith(it + os.sep) for it in paths):
                continue
            parent = os.path.dirname(origin)
            root = os.path.dirname(parent) if os.path.basename(origin).startswith("__init__.") else parent
            loaded = next((it for it in distributions([root]) if it.name == distribution.name), None)
            if loaded is None or loaded.version == distribution.version:
                continue
            raise PackageFailure(
                "conflict",
                f"{distribution.name} {loaded.version} is imported already, from {root}; {distribution.version} was required. "
                "Call python.require before whatever imports it, or require that version",
            )


def modules_of(distribution):
    """The top modules of a distribution."""
    files = distribution.files or ()
    tops = {it.parts[0] for it in files if it.suffix == ".py" and not it.parts[0].startswith(("..", "__pycache__"))}
    return sorted(it.removesuffix(".py") for it in tops)


def add_paths(paths):
    """Put an environment's packages before those of the environment that was found, in the place of an earlier one of ours."""
    import importlib
    import site

    sys.path[:] = [it for it in sys.path if it not in required_paths]
    known = list(sys.path)
    for it in paths:
        if os.path.isdir(it):
            site.addsitedir(it)
    added = [it for it in sys.path if it not in known]
    place = next((i for i, it in enumerate(known) if os.path.basename(it) in ("site-packages", "dist-packages")), len(known))
    sys.path[:] = [*known[:place], *added, *known[place:]]
    required_paths[:] = added
    importlib.invalidate_caches()
