//! The calls as a table, and the configurations as they stand in a compose file.

use super::Proxy;
use super::allow_list::{AllowList, Confined, Instance};
use crate::daemon::permits::whose;
use crate::model::docker_call::Power;
use crate::model::permission::Need;
use std::io::{self, Write};

/// Every call, what it is for, and who needs it.
pub(super) fn calls(needs: &[Need], dry_run: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# The calls to Docker that these playbooks need")?;
    if dry_run {
        writeln!(out, "# dry_run: nothing that changes something is needed")?;
    }
    let width = needs.iter().map(|need| need.call.shown().len()).max().unwrap_or_default();
    for need in needs {
        let call = need.call;
        let (method, path, purpose) = (call.method(), call.shown(), call.purpose());
        let optional = if need.optional { " (goes on without)" } else { "" };
        let root = match call.power() {
            Power::Root => " ROOT: whoever may make this call can become root on the machine.",
            Power::Look | Power::Act => "",
        };
        writeln!(out, "{method:6} {path:width$}  {purpose}{optional}: {}.{root}", whose(need))?;
    }
    Ok(())
}

/// What goes into a compose file for a proxy.
pub(super) fn proxy(proxy: Proxy, list: &AllowList, out: &mut dyn Write) -> io::Result<()> {
    let title = match proxy {
        Proxy::Wollomatic => "wollomatic/socket-proxy lets exactly these calls through",
        Proxy::Linuxserver => "linuxserver/socket-proxy lets groups of calls through",
        Proxy::Tecnativa => "tecnativa/docker-socket-proxy lets groups of calls through",
    };
    writeln!(out, "# {title}; written by `sickbay permissions`")?;
    for wider in &list.wider {
        writeln!(out, "# More than is needed: {wider}.")?;
    }
    if let [read, write] = list.instances.as_slice() {
        writeln!(out, "# It cannot read and write in one: in the settings of sickbay, name both.")?;
        writeln!(out, "#   docker:")?;
        writeln!(out, "#     hosts:")?;
        let (read, write) = (read.name, write.name);
        writeln!(out, "#       - {{name: local, url: \"tcp://{read}:2375\", write_url: \"tcp://{write}:2375\"}}")?;
    }
    writeln!(out, "services:")?;
    list.instances.iter().try_for_each(|one| instance(one, out))
}

fn instance(instance: &Instance, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {}:", instance.name)?;
    writeln!(out, "    image: {}", instance.image)?;
    confined(&instance.confined, out)?;
    if !instance.command.is_empty() {
        writeln!(out, "    command:")?;
        for argument in &instance.command {
            writeln!(out, "      - '{}'", for_compose(argument))?;
        }
    }
    if !instance.environment.is_empty() {
        writeln!(out, "    environment:")?;
        for (key, value) in &instance.environment {
            writeln!(out, "      {key}: {value}")?;
        }
    }
    writeln!(out, "    volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]")
}

fn confined(confined: &Confined, out: &mut dyn Write) -> io::Result<()> {
    let Confined { user, read_only, cap_drop, security_opt, mem_limit } = confined;
    if let Some(user) = user {
        writeln!(out, "    user: \"{user}\"")?;
    }
    if *read_only {
        writeln!(out, "    read_only: true")?;
    }
    for (key, listed) in [("cap_drop", cap_drop), ("security_opt", security_opt)] {
        if !listed.is_empty() {
            writeln!(out, "    {key}: [{}]", listed.join(", "))?;
        }
    }
    mem_limit.map_or(Ok(()), |limit| writeln!(out, "    mem_limit: {limit}"))
}

/// Compose takes `$` for a variable.
fn for_compose(argument: &str) -> String {
    argument.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::super::allow_list::allow_list;
    use super::*;
    use crate::model::docker_call::DockerCall;

    #[test]
    fn compose_reads_back_what_the_proxy_is_to_get() {
        assert_eq!(for_compose(r"-allowGET=(^/a$)"), r"-allowGET=(^/a$$)");
        let list = allow_list(Proxy::Wollomatic, &[DockerCall::Version]);
        let mut said = Vec::new();
        proxy(Proxy::Wollomatic, &list, &mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("\n      - '-allowGET=((/v1\\.[0-9]{2})?(/version))'\n"), "{said}");
        // Its image runs as nobody, whom the socket does not let in.
        let group = "\n    user: \"65534:${DOCKER_GID:?set it to what `stat -c %g /var/run/docker.sock` prints}\"\n";
        assert!(said.contains(group), "{said}");
        let confined =
            "\n    read_only: true\n    cap_drop: [ALL]\n    security_opt: [no-new-privileges]\n    mem_limit: 64m\n";
        assert!(said.contains(confined), "{said}");
    }
}
