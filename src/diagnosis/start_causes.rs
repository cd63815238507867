//! The words with which Docker says that it could not start a container, and what each means.
//!
//! The words differ between engines and runtimes, so each cause is known by fragments, in lower case. Earlier ones go first:
//! `permission denied` alone says little, `exec:` before it says much.

use super::cause::Cause;
use crate::model::diagnosis::DiagnosisCode as Code;

/// In the order in which they are tried; each says what it means in a whole sentence.
pub(super) const CAUSES: &[Cause] = &[
    Cause {
        code: Code::PortTaken,
        words: &[
            "port is already allocated",
            "bind&address already in use",
            "listen&address already in use",
            "port&address already in use",
        ],
        what: "Docker could not start it: something else has a port that it publishes.",
        next: "Find who has it (`docker ps --filter publish=PORT`, or `ss -ltnp` on the machine); end that, or publish \
               another port.",
    },
    Cause {
        code: Code::AddressTaken,
        words: &["address already in use"],
        what: "Docker could not start it: another container has the fixed address (`ipv4_address`, `--ip`) that it is to have.",
        next: "Look who has it (`docker network inspect NETWORK`), and give one of them another; addresses that Docker gives \
               itself should come from another part of the network (`ip_range`).",
    },
    Cause {
        code: Code::PortAddress,
        words: &["cannot assign requested address"],
        what: "Docker could not start it: it is to publish a port on an address that this machine does not have.",
        next: "Correct the address before the port, or bring the address up (`ip addr`).",
    },
    Cause {
        code: Code::Architecture,
        words: &["exec format error"],
        what: "Docker could not start it: its command is no program for this machine.",
        next: "Use an image for this machine's architecture; a script must begin with `#!` and its interpreter.",
    },
    Cause {
        code: Code::LimitTooLow,
        words: &["oom-killed", "memory limit too low", "minimum memory limit"],
        what: "Docker could not start it: its memory limit does not even suffice for that.",
        next: "Raise the memory limit.",
    },
    Cause {
        code: Code::CommandNotFound,
        words: &["executable file&not found", "exec: \"&no such file or directory", "exec: \"&not a directory"],
        what: "Docker could not start it: its command is not in the image (as exit code 127).",
        next: "Look for a typing mistake in `command` or `entrypoint`, for a mount that hides the program, and whether \
               the image is the one that is meant; a command line with spaces must not be one single word.",
    },
    Cause {
        code: Code::CommandNotExecutable,
        words: &["exec: \"&permission denied", "open executable&permission denied", "exec: \"&is a directory"],
        what: "Docker could not start it: its command may not be executed (as exit code 126).",
        next: "`chmod +x` the file where the image is built; look whether it is a directory, or lies on a mount with \
               noexec, or is closed to the user that the container runs as.",
    },
    Cause {
        code: Code::DiskFull,
        words: &["no space left on device", "disk quota exceeded"],
        what: "Docker could not start it: the disk is full.",
        next: "`df -h` and `df -i` on the machine, then `docker system df`: make room.",
    },
    Cause {
        code: Code::MountWrongKind,
        words: &["mount&not a directory", "are you trying to mount a directory onto a file"],
        what: "Docker could not start it: a directory is to be mounted onto a file, or a file onto a directory.",
        next: "Look at both sides of the mount; where the source was missing, an earlier start made a directory of it.",
    },
    Cause {
        code: Code::MountSourceMissing,
        words: &[
            "bind source path does not exist",
            "creating mount source path",
            "failed to mount local volume&no such file",
            "error mounting&no such file",
            "mount&no such file or directory",
        ],
        what: "Docker could not start it: what is to be mounted does not exist on the machine.",
        next: "Make the source of the mount, mount the disk that holds it, or correct its path.",
    },
    Cause {
        code: Code::ReadOnly,
        words: &["read-only file system"],
        what: "Docker could not start it: something is to be made where the file system is read-only.",
        next: "Make the place of the mount in the image, or look whether the machine's disk has become read-only \
               (`dmesg`).",
    },
    Cause {
        code: Code::MountFailed,
        words: &["error mounting", "failed to mount", "error while mounting volume", "no such volume", "volume driver"],
        what: "Docker could not start it: a volume or bind could not be mounted.",
        next: "Look at the volume (`docker volume inspect`) and whether its server answers.",
    },
    Cause {
        code: Code::ParentStopped,
        words: &["non running container", "non-running container"],
        what: "Docker could not start it: the container whose network or other namespace it shares does not run.",
        next: "Start that one first.",
    },
    Cause {
        code: Code::ParentGone,
        words: &["no such container", "cannot join network", "joining network namespace"],
        what: "Docker could not start it: the container whose network or other namespace it shares is gone.",
        next: "Make it anew beside the new owner of the network (`docker compose up -d` does it); a restart cannot help.",
    },
    Cause {
        code: Code::NetworkMissing,
        words: &["network&not found", "could not find a network", "network&no such"],
        what: "Docker could not start it: a network that it belongs to is gone.",
        next: "Make the network again and the container anew (`docker compose up -d --force-recreate` does both).",
    },
    Cause {
        code: Code::DeviceMissing,
        words: &["device driver&capabilities", "custom device", "nvidia-container", "device&no such file"],
        what: "Docker could not start it: a device that it is to have, or the driver for it, is missing.",
        next: "Look whether the device is there (`ls /dev`), and whether its container toolkit is installed.",
    },
    Cause {
        code: Code::UserUnknown,
        words: &[
            "unable to find user",
            "unable to find group",
            "no matching entries in passwd",
            "no matching entries in group",
        ],
        what: "Docker could not start it: the user or group that it is to run as is not in the image.",
        next: "Use a user that the image has, or a number.",
    },
    Cause {
        code: Code::WorkdirUnusable,
        words: &["chdir to cwd", "working directory", "mkdir&workdir"],
        what: "Docker could not start it: its working directory cannot be entered.",
        next: "Look whether it is a directory, and open to the user that the container runs as.",
    },
    Cause {
        code: Code::LogDriver,
        words: &["logging driver", "log driver", "log-opt"],
        what: "Docker could not start it: its log driver cannot be set up.",
        next: "Look whether the log's receiver answers, and at the driver's options.",
    },
    Cause {
        code: Code::SecurityRefused,
        words: &["apparmor", "seccomp", "selinux", "operation not permitted"],
        what: "Docker could not start it: a security profile or a missing privilege forbids something.",
        next: "Look at `security_opt` and `cap_add`, and into the machine's audit log.",
    },
];

/// The first cause whose words are in a text.
pub(super) fn cause_of(words: &str) -> Option<&'static Cause> {
    Cause::first_of(CAUSES, &words.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of real engines: 20.10 with runc 1.1, newer ones, crun.
    const WORDS: &[(&str, Code)] = &[
        (r#"{}exec: "nosuch": executable file not found in $PATH: unknown"#, Code::CommandNotFound),
        (r#"{}exec: "/opt/nosuch": stat /opt/nosuch: no such file or directory: unknown"#, Code::CommandNotFound),
        ("crun: executable file `nosuch` not found in $PATH: No such file or directory", Code::CommandNotFound),
        (r#"{}exec: "/bin/notexec": permission denied: unknown"#, Code::CommandNotExecutable),
        ("crun: open executable: Permission denied: OCI permission denied", Code::CommandNotExecutable),
        (r#"{}exec: "/app": is a directory: unknown"#, Code::CommandNotExecutable),
        ("standard_init_linux.go:228: exec user process caused: exec format error", Code::Architecture),
        (
            "driver failed programming external connectivity on endpoint web (9f): Bind for 127.0.0.1:80 failed: port is already allocated",
            Code::PortTaken,
        ),
        (
            "driver failed programming external connectivity on endpoint web (9f): Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use",
            Code::PortTaken,
        ),
        (
            "failed to set up container networking: driver failed programming external connectivity on endpoint web: failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use",
            Code::PortTaken,
        ),
        (
            "failed to set up container networking: failed to bind host port 0.0.0.0:80/tcp: address already in use",
            Code::PortTaken,
        ),
        ("Address already in use", Code::AddressTaken),
        ("failed to set up container networking: Address already in use", Code::AddressTaken),
        (
            "Error starting userland proxy: listen tcp4 10.9.9.9:80: bind: cannot assign requested address",
            Code::PortAddress,
        ),
        (r#"invalid mount config for type "bind": bind source path does not exist: /srv/x"#, Code::MountSourceMissing),
        (
            r#"{}error during container init: error mounting "/srv/x" to rootfs at "/mnt": stat /srv/x: no such file or directory: unknown"#,
            Code::MountSourceMissing,
        ),
        (
            r#"{}error during container init: error mounting "/srv/x" to rootfs at "/tmp": mount /srv/x:/tmp (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)? Check"#,
            Code::MountWrongKind,
        ),
        ("error while mounting volume '/v': VolumeDriver.Mount: timed out", Code::MountFailed),
        (
            "failed to mount local volume: mount nas:/x:/var/lib/docker/volumes/x/_data: connection refused",
            Code::MountFailed,
        ),
        ("No such container: 429522a92eef", Code::ParentGone),
        ("cannot join network of a non running container: 429522a92eef", Code::ParentStopped),
        ("network front not found", Code::NetworkMissing),
        (r#"could not select device driver "" with capabilities: [[gpu]]"#, Code::DeviceMissing),
        (
            r#"error gathering device information while adding custom device "/dev/nosuch": no such file or directory"#,
            Code::DeviceMissing,
        ),
        ("unable to find user nobody2: no matching entries in passwd file", Code::UserUnknown),
        (r#"{}chdir to cwd ("/root/x") set in config.json failed: permission denied: unknown"#, Code::WorkdirUnusable),
        ("{}container init was OOM-killed (memory limit too low?): unknown", Code::LimitTooLow),
        ("mkdir /var/lib/docker/overlay2/x: no space left on device", Code::DiskFull),
        ("failed to initialize logging driver: dial tcp 10.0.0.1:24224: connect: connection refused", Code::LogDriver),
    ];

    #[test]
    fn dockers_words_name_their_cause() {
        let runc = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
        for (words, want) in WORDS {
            let words = words.replace("{}", runc);
            assert_eq!(cause_of(&words).map(|cause| cause.code), Some(*want), "{words}");
        }
        assert!(cause_of("something that nobody has seen").is_none());
    }
}
