//! Stub.
#[derive(clap::Args, Debug)]
pub struct LogArgs {}
pub fn run(_: &LogArgs, _: &mut dyn std::io::Write) -> std::io::Result<u8> {
    Ok(0)
}
