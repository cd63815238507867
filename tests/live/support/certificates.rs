//! Certificates of a throwaway authority, made with `openssl`.

use std::fs;
use std::process::Command;

/// An authority, a server's certificate and a client's, each with its key.
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    /// For a server at this address.
    pub(crate) fn for_host(address: &str) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        made.openssl(&["req", "-x509"], &key, &["-days", "2", "-subj", "/CN=ca", "-keyout", "ca-key", "-out", "ca"]);
        for (name, extensions) in [
            ("server", format!("subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth\n")),
            ("client", "extendedKeyUsage=clientAuth\n".to_owned()),
        ] {
            fs::write(made.0.path().join("extensions"), extensions).unwrap();
            let (key_file, subject) = (format!("{name}-key"), format!("/CN={name}"));
            made.openssl(&["req"], &key, &["-subj", &subject, "-keyout", &key_file, "-out", "request"]);
            let by = ["-CA", "ca", "-CAkey", "ca-key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
            made.openssl(&["x509", "-req"], &by, &["-in", "request", "-out", name]);
        }
        made
    }

    fn openssl(&self, command: &[&str], options: &[&str], files: &[&str]) {
        let output =
            Command::new("openssl").args([command, options, files].concat()).current_dir(self.0.path()).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error} (apt install openssl)"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The authority.
    pub(crate) fn ca(&self) -> String {
        self.path("ca")
    }

    /// The server's.
    pub(crate) fn server(&self) -> String {
        self.path("server")
    }

    /// Its key.
    pub(crate) fn server_key(&self) -> String {
        self.path("server-key")
    }

    /// `tls` of the settings, with the client's certificate.
    pub(crate) fn settings(&self) -> String {
        format!("{{ca_file: {}, cert_file: {}, key_file: {}}}", self.ca(), self.path("client"), self.path("client-key"))
    }
}
