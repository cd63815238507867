//! What one line of a log points to, and whether it says itself that the program goes on.

use super::cause::Cause;
use super::log_causes::CAUSES;
use crate::model::diagnosis::DiagnosisCode as Code;

/// That it stopped at an error, and nothing of which. In the order of how much such a line says.
const ERRORS: [Cause; 2] = [
    Cause {
        code: Code::ApplicationError,
        words: &[
            "panic:",
            "level=panic",
            "\"level\":\"panic\"",
            "panicked at",
            "called `option::unwrap()`",
            "called `result::unwrap()`",
            "unhandled exception",
            "unhandledpromiserejection",
            "unhandled rejection",
            "uncaught ",
            "uncaughtexception",
            "exception in thread",
            "caused by:",
            "terminate called",
            "fatal",
            "critical",
            "segmentation fault",
            "assertion failed",
            "assertion `&failed",
            "core dumped",
            "failed to start",
            "init terminating",
            // Elixir and Ruby.
            "** (",
            ":in `&error)",
            ":in '&error)",
        ],
        what: STOPPED,
        next: READ_ON,
    },
    Cause {
        code: Code::ApplicationError,
        words: &[
            "traceback (most recent",
            "error:",
            "exception:",
            "error ",
            "[error]",
            "\"error\"",
            "severe:",
            "aborting",
        ],
        what: STOPPED,
        next: READ_ON,
    },
];

const STOPPED: &str = "the application stopped at an error";

const READ_ON: &str = "Read the lines around it; it is the application's own.";

/// What a line points to.
#[derive(Clone, Copy)]
pub(super) struct Pointer {
    pub(super) cause: &'static Cause,
    /// Where it stands in the tables: of two with the same code, the earlier says more.
    pub(super) place: usize,
}

impl Pointer {
    /// It says no more than that something went wrong.
    pub(super) fn is_vague(self) -> bool {
        CAUSES.len() <= self.place
    }
}

/// What a line points to. A line that says how well something went points to nothing.
pub(super) fn pointer_of(line: &str) -> Option<Pointer> {
    const WELL: [&str; 9] = [
        "successfully",
        "0 errors",
        "no errors",
        "errors=0",
        "error=nil",
        "failed=0",
        "non-fatal",
        "\"error\":null",
        "\"error\":\"\"",
    ];
    let line = line.to_lowercase();
    if has_any(&line, &WELL) {
        return None;
    }
    let (place, cause) = CAUSES.iter().chain(&ERRORS).enumerate().find(|(_, cause)| cause.is_in(&line))?;
    Some(Pointer { cause, place })
}

/// Whether a line tells itself that the program goes on: something is switched off, one request failed, or it is a warning
/// of what is not needed.
pub(super) fn goes_on(cause: &Cause, line: &str) -> bool {
    const WITHOUT: [&str; 13] = [
        "disabled",
        "disabling",
        "optional",
        "skipping",
        "skipped",
        "ignoring",
        "ignored",
        "using default",
        "using the default",
        "defaulting",
        "falling back",
        "reverting to",
        "continuing without",
    ];
    const REQUEST: [&str; 6] = [", client: ", " http/1.", " http/2", "\"get /", "\"post /", "\"head /"];
    const MILD: [&str; 12] = [
        "warn",
        "info:",
        "info ",
        "[info]",
        "=info",
        "\"info\"",
        "debug:",
        "debug ",
        "[debug]",
        "notice",
        "\"level\":30",
        "\"level\":40",
    ];
    const OF_A_REQUEST: [Code; 4] =
        [Code::FileMissing, Code::DirectoryForFile, Code::CommandNotFound, Code::CredentialsRefused];
    const NOT_NEEDED: [Code; 7] = [
        Code::FileMissing,
        Code::DirectoryForFile,
        Code::CommandNotFound,
        Code::VariableMissing,
        Code::ModuleMissing,
        Code::ConfigInvalid,
        Code::ReadOnly,
    ];
    let line = line.to_lowercase();
    let is_last_word = has_any(&line, &["fatal", "panic", "error:", "exception"]);
    has_any(&line, &WITHOUT) && !is_last_word
        || has_any(&line, &REQUEST) && OF_A_REQUEST.contains(&cause.code)
        || has_any(&line, &MILD) && !is_last_word && NOT_NEEDED.contains(&cause.code)
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
        ("/entrypoint.sh: 12: exec: gunicorn: not found", Some(Code::CommandNotFound)),
        ("/entrypoint.sh: exec: line 3: gunicorn: not found", Some(Code::CommandNotFound)),
        ("/entrypoint.sh: line 12: exec: gunicorn: not found", Some(Code::CommandNotFound)),
        ("/x.sh: line 3: exec: /opt/run: cannot execute: No such file or directory", Some(Code::CommandNotFound)),
        ("/x.sh: line 3: exec: /opt/run: cannot execute: Permission denied", Some(Code::CommandNotExecutable)),
        ("bash: /app/run.sh: cannot execute: required file not found", Some(Code::InterpreterMissing)),
        ("/bin/x: /bin/x: cannot execute binary file", Some(Code::Architecture)),
        ("[FATAL tini (7)] exec /app/run failed: No such file or directory", Some(Code::CommandNotFound)),
        ("[FATAL tini (7)] exec /app/run failed: Permission denied", Some(Code::CommandNotExecutable)),
        ("error: exec: \"gunicorn\": executable file not found in $PATH", Some(Code::CommandNotFound)),
        ("/usr/bin/env: 'node': No such file or directory", Some(Code::CommandNotFound)),
        ("env: can't execute 'node': No such file or directory", Some(Code::CommandNotFound)),
        ("Error: spawn ffmpeg ENOENT", Some(Code::CommandNotFound)),
        (
            "java.io.IOException: Cannot run program \"ffmpeg\": error=2, No such file or directory",
            Some(Code::CommandNotFound),
        ),
        ("/usr/bin/env: 'bash\\r': No such file or directory", Some(Code::InterpreterMissing)),
        ("/usr/bin/env: ‘python3\\r’: No such file or directory", Some(Code::InterpreterMissing)),
        ("env: can't execute 'bash ': No such file or directory", Some(Code::InterpreterMissing)),
        ("/bin/sh: ./run.sh: /bin/bash^M: bad interpreter: No such file or directory", Some(Code::InterpreterMissing)),
        ("/x.sh: line 2: $'\\r': command not found", Some(Code::InterpreterMissing)),
        ("/c.sh: line 1:  : not found", Some(Code::InterpreterMissing)),
        (
            "standard_init_linux.go:228: exec user process caused: no such file or directory",
            Some(Code::InterpreterMissing),
        ),
        (
            "standard_init_linux.go:211: exec user process caused \"no such file or directory\"",
            Some(Code::InterpreterMissing),
        ),
        ("standard_init_linux.go:228: exec user process caused: permission denied", Some(Code::CommandNotExecutable)),
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
        ("Error: ENOSPC: no space left on device, write", Some(Code::DiskFull)),
        (
            "Error: ENOSPC: System limit for number of file watchers reached, watch '/app/src'",
            Some(Code::FilesExhausted),
        ),
        ("Error: watch /app/src ENOSPC", Some(Code::FilesExhausted)),
        ("inotify_add_watch(/srv): no space left on device", Some(Code::FilesExhausted)),
        ("Failed to watch /srv; upper limit on inotify watches reached!", Some(Code::FilesExhausted)),
        (
            "System.IO.IOException: The configured user limit (128) on the number of inotify instances has been reached",
            Some(Code::FilesExhausted),
        ),
        ("using inotify to watch 3 files", None),
        (
            "connection to server at \"db\" (172.18.0.2), port 5432 failed: FATAL:  database \"app\" does not exist",
            Some(Code::ApplicationError),
        ),
        ("ERROR 1049 (42000): Unknown database 'app'", Some(Code::ApplicationError)),
        ("ERROR:  relation \"users\" does not exist", Some(Code::ApplicationError)),
        ("sqlite3.OperationalError: no such table: users", Some(Code::ApplicationError)),
        (
            "connection to server at \"db\" (172.18.0.2), port 5432 failed: FATAL:  something new",
            Some(Code::ApplicationError),
        ),
        (
            "connection to server at \"db\" (172.18.0.2), port 5432 failed: Connection refused",
            Some(Code::DependencyUnreachable),
        ),
        (
            "connection to server at \"db\" (172.18.0.2), port 5432 failed: FATAL:  the database system is starting up",
            Some(Code::DependencyUnreachable),
        ),
        (
            "connection to server at \"db\" (172.18.0.2), port 5432 failed: FATAL:  password authentication failed for user \"app\"",
            Some(Code::CredentialsRefused),
        ),
        (
            "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled.",
            Some(Code::CredentialsRefused),
        ),
        ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN", Some(Code::CredentialsRefused)),
        ("ORA-01017: invalid username/password; logon denied", Some(Code::CredentialsRefused)),
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
            assert_eq!(pointer_of(line).map(|pointer| pointer.cause.code), *want, "{line}");
        }
    }

    #[test]
    fn all_words_are_in_lower_case() {
        let words = CAUSES
            .iter()
            .chain(&ERRORS)
            .flat_map(|cause| cause.words)
            .chain(super::super::start_causes::CAUSES.iter().flat_map(|cause| cause.words));
        for words in words {
            assert_eq!(words.to_lowercase(), *words);
        }
    }
}
