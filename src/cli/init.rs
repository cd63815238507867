//! `sickbay init`: a directory to begin with. Commented settings, one playbook with its tests, and the schemas by which an
//! editor completes them. It overwrites nothing and connects to nothing.

use super::complain;
use super::schema::Of;
use super::starters::{Kind, NewFile, SETTINGS, with_modeline, write_all};
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;

/// Something is in the way, or cannot be written.
const REFUSED: u8 = 1;

/// Write commented settings and a first playbook with its tests.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Where; it need not exist
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Writes the files and says what comes next; the exit code.
///
/// # Errors
/// If the result cannot be printed.
pub fn run(args: &InitArgs, out: &mut dyn Write) -> io::Result<u8> {
    let (kind, name) = (Kind::Restart, Kind::Restart.default_name());
    let playbooks = "../schema/playbooks.schema.json";
    let mut files = vec![
        ("sickbay.yml".to_owned(), with_modeline("schema/settings.schema.json", SETTINGS)),
        (format!("rules/{name}.yaml"), with_modeline(playbooks, &kind.playbook(name))),
        (format!("rules/{name}.test.yaml"), with_modeline("../schema/tests.schema.json", &kind.test(name))),
    ];
    for of in [Of::Settings, Of::Playbooks, Of::Tests] {
        files.push((format!("schema/{}", of.file_name()), format!("{:#}\n", of.schema())));
    }
    let path = |name: &str| if args.dir.as_os_str() == "." { PathBuf::from(name) } else { args.dir.join(name) };
    let files: Vec<NewFile> = files.into_iter().map(|(name, text)| NewFile { path: path(&name), text }).collect();
    if let Err(problem) = write_all(&files) {
        complain(&problem);
        return Ok(REFUSED);
    }
    for file in &files {
        writeln!(out, "wrote {}", file.path.display())?;
    }
    let settings = path("sickbay.yml");
    writeln!(out, "\nNext:")?;
    writeln!(out, "  1. say in {} which alert and which container", path(&format!("rules/{name}.yaml")).display())?;
    writeln!(out, "  2. sickbay check --config.file={}", settings.display())?;
    writeln!(out, "  3. sickbay test {}", path("rules").display())?;
    writeln!(out, "  4. give the container the label sickbay.enable=true")?;
    writeln!(
        out,
        "  5. sickbay --config.file={}   (it changes nothing while it says dry_run: true)",
        settings.display()
    )?;
    writeln!(out, "  6. have Alertmanager send to http://127.0.0.1:10112/api/v1/webhook")?;
    Ok(0)
}
