//! The words with which programs say in their logs what they lack, and what each means.
//!
//! Fragments in lower case, those of many languages and servers. A line is of the first cause whose words it has, so what
//! is special goes before what is general.

use super::cause::Cause;
use crate::model::diagnosis::DiagnosisCode as Code;

/// In the order in which they are tried; each says what it means as the end of "its log says that …".
pub(super) const CAUSES: &[Cause] = &[
    Cause {
        code: Code::Architecture,
        words: &["exec format error", "wrong elf class", "rosetta error", "qemu: uncaught target signal"],
        what: "its command is no program for this machine",
        next: "Use an image for this machine's architecture; a script must begin with `#!` and its interpreter.",
    },
    Cause {
        code: Code::LibraryMissing,
        words: &[
            "error while loading shared libraries",
            "cannot open shared object file",
            "version `glibc",
            "symbol not found",
            "undefined symbol",
            "error loading shared library",
            "error relocating",
        ],
        what: "a shared library is missing, or of another version",
        next: "Install the library in the image, or build the program for the image that it runs in (glibc and musl differ).",
    },
    Cause {
        code: Code::HeapExhausted,
        words: &[
            "java.lang.outofmemoryerror",
            "heap out of memory",
            "runtime: out of memory",
            "memoryerror",
            "std::bad_alloc",
            "allowed memory size of",
            "cannot allocate memory",
            "failed to allocate memory",
            "oom command not allowed",
            "out of memory",
        ],
        what: "its memory is used up",
        next: "Raise the memory limit, and the application's own heap with it (`-Xmx`, `--max-old-space-size`, \
               `memory_limit`, `maxmemory`), or look for a leak.",
    },
    Cause {
        code: Code::ProcessesExhausted,
        words: &[
            "can't fork",
            "cannot fork",
            "fork: retry",
            "fork: resource temporarily unavailable",
            "unable to create&thread",
            "can't start new thread",
            "pthread_create&resource temporarily unavailable",
            "fork failed",
        ],
        what: "it may start no more processes or threads",
        next: "Look for processes that pile up; raise `pids_limit`, or the user's `ulimit -u`.",
    },
    Cause {
        code: Code::FilesExhausted,
        words: &["too many open files", "emfile:", "enfile:", "too many connections", "too many clients"],
        what: "it has too many files or connections open",
        next: "Look for connections that are never closed; raise `ulimits: nofile`, or the server's own limit.",
    },
    Cause {
        code: Code::DiskFull,
        words: &[
            "no space left on device",
            "enospc",
            "disk quota exceeded",
            "disk is full",
            "disk full",
            "not enough disk space",
            "flood-stage watermark",
        ],
        what: "the disk is full",
        next: "`df -h` and `df -i` on the machine and inside; `docker system df`; make room, or give it a larger volume.",
    },
    Cause {
        code: Code::ReadOnly,
        words: &["read-only file system", "erofs:", "readonly database", "read only file system"],
        what: "it wants to write where it may only read",
        next: "Give it a volume or a tmpfs at that path, or mount what is there without `ro`.",
    },
    Cause {
        code: Code::AddressInUse,
        words: &[
            "address already in use",
            "address in use",
            "eaddrinuse",
            "port is already in use",
            "only one usage of each socket",
        ],
        what: "something else has the address that it wants to listen on",
        next: "Inside one network namespace a port can be had once: look for a second process in the container, for \
               `network_mode: host` or a shared network, and for who has the port (`ss -ltnp`).",
    },
    Cause {
        code: Code::DirectoryForFile,
        words: &["is a directory", "eisdir", "isadirectoryerror", "not a regular file"],
        what: "there is a directory where it wants a file",
        next: "Where the source of a bind mount is missing, Docker makes a directory of it: put the file there, and make \
               the container anew.",
    },
    Cause {
        code: Code::CredentialsRefused,
        words: &[
            "password authentication failed",
            "authentication failed",
            "access denied for user",
            "invalid password",
            "login failed for user",
            "noauth authentication required",
            "wrongpass",
            "invalid credentials",
            "401 unauthorized",
            "403 forbidden",
            "invalid api key",
            "unauthenticated",
            "role&does not exist",
        ],
        what: "something that it needs does not accept its credentials",
        next: "Compare the credentials on both sides; a database keeps those that it was first started with in its volume.",
    },
    Cause {
        code: Code::TlsFailed,
        words: &[
            "certificate has expired",
            "certificate verify failed",
            "x509:",
            "self signed certificate",
            "self-signed certificate",
            "unable to get local issuer",
            "tls handshake",
            "ssl handshake",
            "certificate signed by unknown authority",
            "pkix path building failed",
        ],
        what: "a certificate is not accepted, or TLS cannot be agreed on",
        next: "Look whether the certificate has expired and for which name it is; give the container the authority that \
               signed it; look at the machine's clock.",
    },
    Cause {
        code: Code::DnsFailed,
        words: &[
            "could not resolve host",
            "temporary failure in name resolution",
            "name or service not known",
            "no such host",
            "bad address",
            " enotfound",
            "'enotfound",
            "eai_again",
            "unknownhostexception",
            "name does not resolve",
            "nodename nor servname",
            "server misbehaving",
            "can't resolve",
            "could not translate host name",
            "host not found",
            "name resolution",
            "unknown host",
            "could not resolve",
        ],
        what: "a host name cannot be resolved",
        next: "Look at the name, whether that container runs, and whether both are in one network of their own.",
    },
    Cause {
        code: Code::DependencyUnreachable,
        words: &[
            "connection refused",
            "econnrefused",
            "connection timed out",
            "etimedout",
            "no route to host",
            "network is unreachable",
            "ehostunreach",
            "enetunreach",
            "connection reset by peer",
            "could not connect to",
            "can't connect to",
            "failed to connect",
            "unable to connect",
            "connection to server&failed",
            "no brokers available",
            "connectexception",
            "i/o timeout",
            "server is not available",
            "the database system is starting up",
        ],
        what: "something that it needs cannot be reached",
        next: "Look whether that runs and is healthy, at its name and port, and whether both are in one network; an \
               application that starts before its database should wait for it (`depends_on: condition: service_healthy`).",
    },
    Cause {
        code: Code::LockLeft,
        words: &[
            "lock file&already exists",
            "lock file&exists",
            "could not lock",
            "pid file&exists",
            "is already running",
            "already locked",
            "another&instance&running",
            "unable to lock",
            "resource temporarily unavailable&lock",
            "server is already running",
        ],
        what: "a lock of another or an earlier run is still there",
        next: "Look whether a second container uses the same volume; if none does, remove the lock file, and let it be \
               made outside of the volume.",
    },
    Cause {
        code: Code::VariableMissing,
        words: &[
            "environment variable&not set",
            "environment variable&required",
            "environment variable&missing",
            "environment variable&must",
            "missing required environment",
            "missing environment variable",
            "required environment variable",
            "missing env",
            "keyerror: '",
            "env var&not set",
            "is not specified",
            "variable is not set",
            "unbound variable",
            "parameter not set",
            "must be set",
            "you need to specify",
            "is unset",
            "is not set",
        ],
        what: "a variable of its environment is missing",
        next: "Give it the variable (`environment`, `env_file`), and look for a typing mistake in its name.",
    },
    Cause {
        code: Code::ModuleMissing,
        words: &[
            "cannot find module",
            "modulenotfounderror",
            "no module named",
            "classnotfoundexception",
            "noclassdeffounderror",
            "could not find or load main class",
            "cannot load such file",
            "class&not found",
            "cannot find package",
            "unable to access jarfile",
            "could not load file or assembly",
        ],
        what: "a part of the application itself is missing in the image",
        next: "Build the image anew with all dependencies; look for a mount that hides the application's directory.",
    },
    Cause {
        code: Code::PermissionDenied,
        words: &[
            "permission denied",
            "eacces",
            "operation not permitted",
            "eperm:",
            "permissionerror",
            "access is denied",
            "accessdenied",
            "not permitted",
            "must be run as root",
            "wrong ownership",
        ],
        what: "it may not do something that it wants to",
        next: "Compare the owner of the file or volume with the user that the container runs as (`user`); ports below 1024 \
               and some system calls need a capability.",
    },
    Cause {
        code: Code::InterpreterMissing,
        words: &["exec /&no such file or directory", "bad interpreter", "^m:", "exec&: not found"],
        what: "its command is there, and the interpreter or loader that it names is not",
        next: "Look at the first line of the script: the interpreter must be in the image, and the line must not end with \
               a carriage return (convert CRLF to LF); a program built for glibc does not start on musl.",
    },
    Cause {
        code: Code::CommandNotFound,
        words: &[": not found", "command not found", "executable file not found"],
        what: "it calls a command that is not in the image",
        next: "Install the command in the image, or correct its name.",
    },
    Cause {
        code: Code::FileMissing,
        words: &[
            "no such file or directory",
            "enoent",
            "filenotfounderror",
            "filenotfoundexception",
            "file not found",
            "cannot open",
            "can't open",
            "does not exist",
            "cannot find the file",
            "nosuchfileexception",
            "failed to open",
        ],
        what: "a file that it needs is not there",
        next: "Look at the mounts: whether the file is on the machine where the mount says, and the path is the same on both \
               sides.",
    },
    Cause {
        code: Code::ConfigInvalid,
        words: &[
            "invalid config",
            "configuration error",
            "config error",
            "error parsing",
            "failed to parse",
            "parse error",
            "yaml:",
            "syntax error",
            "unknown directive",
            "invalid configuration",
            "bad configuration",
            "unexpected token",
            "invalid value",
            "unrecognized option",
            "unknown option",
            "unknown flag",
            "unrecognized arguments",
            "invalid option",
            "illegal option",
            "fatal config",
            "[emerg]",
        ],
        what: "its configuration or its arguments cannot be understood",
        next: "Mend what the line names; most servers can check their configuration without starting (`nginx -t`, \
               `promtool check config`).",
    },
    Cause {
        code: Code::ApplicationError,
        words: &[
            "panic:",
            "panicked at",
            "unhandled exception",
            "unhandledpromiserejection",
            "uncaught exception",
            "uncaughtexception",
            "traceback (most recent",
            "exception in thread",
            "fatal",
            "segmentation fault",
            "assertion failed",
            "core dumped",
            "error:",
            "exception:",
            "error ",
        ],
        what: "the application stopped at an error",
        next: "Read the lines around it; it is the application's own.",
    },
];

/// What a line points to. A line that says how well something went points to nothing.
pub(super) fn cause_of(line: &str) -> Option<&'static Cause> {
    const WELL: [&str; 6] = ["successfully", "0 errors", "no errors", "errors=0", "error=nil", "failed=0"];
    let line = line.to_lowercase();
    if has_any(&line, &WELL) {
        return None;
    }
    Cause::first_of(CAUSES, &line)
}

/// Whether any of these is in a text of lower case.
pub(super) fn has_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &[(&str, Option<Code>)] = &[
        ("exec /bin/badelf: exec format error", Some(Code::Architecture)),
        ("exec /bin/crlf: no such file or directory", Some(Code::InterpreterMissing)),
        ("/bin/sh: /app/run.sh: bad interpreter: No such file or directory", Some(Code::InterpreterMissing)),
        ("sh: nosuch-cmd: not found", Some(Code::CommandNotFound)),
        ("bash: line 1: foo: command not found", Some(Code::CommandNotFound)),
        (
            "./app: error while loading shared libraries: libssl.so.1.1: cannot open shared object file: No such file or directory",
            Some(Code::LibraryMissing),
        ),
        (
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by ./app)",
            Some(Code::LibraryMissing),
        ),
        ("Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space", Some(Code::HeapExhausted)),
        (
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            Some(Code::HeapExhausted),
        ),
        ("listen tcp :8080: bind: address already in use", Some(Code::AddressInUse)),
        ("Error: listen EADDRINUSE: address already in use :::3000", Some(Code::AddressInUse)),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)", Some(Code::AddressInUse)),
        (
            "nginx: [emerg] host not found in upstream \"app\" in /etc/nginx/conf.d/default.conf:3",
            Some(Code::DnsFailed),
        ),
        ("nginx: [emerg] unknown directive \"servr\" in /etc/nginx/nginx.conf:1", Some(Code::ConfigInvalid)),
        ("Error: getaddrinfo ENOTFOUND db", Some(Code::DnsFailed)),
        ("dial tcp: lookup db on 127.0.0.11:53: no such host", Some(Code::DnsFailed)),
        (
            "psycopg2.OperationalError: could not translate host name \"db\" to address: Name or service not known",
            Some(Code::DnsFailed),
        ),
        ("wget: bad address 'db'", Some(Code::DnsFailed)),
        ("dial tcp 10.0.0.3:5432: connect: connection refused", Some(Code::DependencyUnreachable)),
        ("ConnectionRefusedError: [Errno 111] Connection refused", Some(Code::DependencyUnreachable)),
        ("wget: can't connect to remote host (127.0.0.1): Connection refused", Some(Code::DependencyUnreachable)),
        ("FATAL:  password authentication failed for user \"app\"", Some(Code::CredentialsRefused)),
        (
            "ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.2' (using password: YES)",
            Some(Code::CredentialsRefused),
        ),
        ("x509: certificate signed by unknown authority", Some(Code::TlsFailed)),
        ("mkdir: cannot create directory '/data': Permission denied", Some(Code::PermissionDenied)),
        ("PermissionError: [Errno 13] Permission denied: '/data/x'", Some(Code::PermissionDenied)),
        ("touch: /etc/x: Read-only file system", Some(Code::ReadOnly)),
        ("write /data/x: no space left on device", Some(Code::DiskFull)),
        ("IsADirectoryError: [Errno 21] Is a directory: '/etc/app.conf'", Some(Code::DirectoryForFile)),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/config/app.yml'", Some(Code::FileMissing)),
        ("cat: can't open '/config/app.yml': No such file or directory", Some(Code::FileMissing)),
        ("KeyError: 'DATABASE_URL'", Some(Code::VariableMissing)),
        ("sh: DATABASE_URL: parameter not set", Some(Code::VariableMissing)),
        ("Error: Database is uninitialized and superuser password is not specified.", Some(Code::VariableMissing)),
        ("Error: Cannot find module '/app/server.js'", Some(Code::ModuleMissing)),
        ("ModuleNotFoundError: No module named 'flask'", Some(Code::ModuleMissing)),
        ("Error: Unable to access jarfile app.jar", Some(Code::ModuleMissing)),
        ("socket: too many open files", Some(Code::FilesExhausted)),
        ("sh: can't fork: Resource temporarily unavailable", Some(Code::ProcessesExhausted)),
        ("FATAL:  lock file \"postmaster.pid\" already exists", Some(Code::LockLeft)),
        ("panic: runtime error: invalid memory address", Some(Code::ApplicationError)),
        ("Traceback (most recent call last):", Some(Code::ApplicationError)),
        ("GET /healthz 200 12ms", None),
        ("migrations finished: 12 applied, 0 errors", None),
        ("listening on 0.0.0.0:8080", None),
        ("started", None),
    ];

    #[test]
    fn lines_of_real_programs_point_to_their_cause() {
        for (line, want) in LINES {
            assert_eq!(cause_of(line).map(|cause| cause.code), *want, "{line}");
        }
    }

    #[test]
    fn all_words_are_in_lower_case() {
        let words = CAUSES
            .iter()
            .flat_map(|cause| cause.words)
            .chain(super::super::start_causes::CAUSES.iter().flat_map(|cause| cause.words));
        for words in words {
            assert_eq!(words.to_lowercase(), *words);
        }
    }
}
