//! Exit codes that mean something by convention: signals, and the codes of `sysexits.h`.

/// The name of the signal that ended a process with this exit code.
pub(super) fn signal_of(code: i64) -> Option<&'static str> {
    Some(match code {
        129 => "SIGHUP",
        130 => "SIGINT",
        131 => "SIGQUIT",
        132 => "SIGILL",
        133 => "SIGTRAP",
        134 => "SIGABRT",
        135 => "SIGBUS",
        136 => "SIGFPE",
        137 => "SIGKILL",
        138 => "SIGUSR1",
        139 => "SIGSEGV",
        140 => "SIGUSR2",
        141 => "SIGPIPE",
        142 => "SIGALRM",
        143 => "SIGTERM",
        152 => "SIGXCPU",
        153 => "SIGXFSZ",
        159 => "SIGSYS",
        _ => return None,
    })
}

/// What such a signal mostly comes from, and what to do.
pub(super) fn usual(code: i64) -> &'static str {
    match code {
        129 | 130 | 131 | 140 | 142 => "Somebody or something sent it that signal: find out who.",
        132 => "It needs CPU instructions that this machine does not have: use an image built for this processor.",
        135 => "It read mapped memory that is not there: look for a full /dev/shm (`shm_size`) or a cut file.",
        136 => "It divided by zero or the like: a fault of the application.",
        141 => "It wrote to a pipe or connection that nobody reads.",
        152 | 153 => "It passed a limit of CPU time or file size: look at `ulimits`.",
        159 => "A seccomp profile forbids a system call that it made: look at `security_opt`.",
        _ => "Look into its log for what it did before.",
    }
}

/// What an application that keeps to the convention means by its exit code.
pub(super) fn convention(code: i64) -> &'static str {
    match code {
        2 => " Shells and many programs mean wrong usage by it, those in Go that they panicked.",
        64 => " By convention, that is wrong usage of the command.",
        65 => " By convention, its input is wrong.",
        66 => " By convention, its input cannot be opened.",
        69 => " By convention, a service that it needs is not available.",
        70 => " By convention, an internal error.",
        71 | 72 => " By convention, something of the system is missing.",
        73 => " By convention, its output cannot be made.",
        74 => " By convention, reading or writing failed.",
        75 => " By convention, it may work later.",
        77 => " By convention, it lacks a permission.",
        78 => " By convention, its configuration is wrong.",
        101 => " Programs in Rust mean by it that they panicked.",
        _ => "",
    }
}
