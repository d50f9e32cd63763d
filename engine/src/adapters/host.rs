//! Who and where this process is, as people know it: the name of the host, and of the user for the audit.

use std::fs;

/// The name a worker goes by unless it is given one. It decides nothing; the lease does.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unnamed-host".into() } else { name }
}

/// The operating system's name for the user who runs this process. `$USER` is not asked: anybody can set
/// it, and this name stands in the audit log.
pub fn user_name() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&users, id).unwrap_or_else(|| format!("uid-{id}"))
}

/// Finds a user in the format of `/etc/passwd`.
fn name_of(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == id && !name.is_empty()).then(|| name.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_and_a_container_without_one_still_has_a_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\n# broken\nada:x:1000:1000::/home/ada:/bin/sh\n";

        assert_eq!(name_of(users, 1000).as_deref(), Some("ada"));
        assert_eq!(name_of(users, 4711), None);
        assert!(!user_name().is_empty());
        assert!(!host_name().is_empty());
    }
}
