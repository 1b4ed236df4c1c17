//! Which server a registry's name means, and whether it is spoken to in the clear.

use lattice_core::OciRef;

/// The names under which docker's own registry is known, and where it really answers.
const DOCKER_HUB: &[&str] =
    &["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];
const DOCKER_HUB_SERVER: &str = "registry-1.docker.io";

/// `http` for loopback and for the registries in `allowed_insecure` (exactly as written there), else `https`.
pub(crate) fn scheme(registry: &str, allowed_insecure: &[String]) -> &'static str {
    if is_loopback(registry) || allowed_insecure.iter().any(|allowed| allowed.eq_ignore_ascii_case(registry))
    {
        "http"
    } else {
        "https"
    }
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port: nobody listens in between.
pub(crate) fn is_loopback(registry: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| registry.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}

/// Where to connect, and the repository's name there: docker's registry has another address than name, and official
/// images a prefix that nobody types.
pub(crate) fn server_and_repository(image: &OciRef) -> (String, String) {
    if !is_docker_hub(&image.registry) {
        return (image.registry.clone(), image.repository.clone());
    }
    let official = !image.repository.contains('/');
    let repository =
        if official { format!("library/{}", image.repository) } else { image.repository.clone() };
    (DOCKER_HUB_SERVER.to_owned(), repository)
}

/// Whether two names, as references and docker's configuration write them, mean the same registry.
pub(crate) fn same_registry(one: &str, other: &str) -> bool {
    let (one, other) = (bare(one), bare(other));
    one == other || (is_docker_hub(&one) && is_docker_hub(&other))
}

fn is_docker_hub(registry: &str) -> bool {
    DOCKER_HUB.contains(&registry)
}

/// Docker's configuration has keys as `https://index.docker.io/v1/`.
fn bare(name: &str) -> String {
    let rest = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    rest.split('/').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_spoken_to_in_the_clear() {
        let allowed = ["registry.lan:5000".to_owned()];
        for (registry, want) in [
            ("localhost", "http"),
            ("localhost:5000", "http"),
            ("127.0.0.1:5000", "http"),
            ("[::1]:5000", "http"),
            ("registry.lan:5000", "http"),
            ("registry.lan", "https"),
            ("registry.lan:5001", "https"),
            ("localhost.example", "https"),
            ("127.0.0.10:5000", "https"),
            ("ghcr.io", "https"),
        ] {
            assert_eq!(scheme(registry, &allowed), want, "{registry}");
        }
    }

    #[test]
    fn dockers_registry_has_many_names() {
        assert!(same_registry("docker.io", "https://index.docker.io/v1/"));
        assert!(same_registry("Registry.Example:5000", "https://registry.example:5000"));
        assert!(!same_registry("registry.example", "registry.example:5000"));
        let image = |registry: &str, repository: &str| OciRef {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: None,
            digest: None,
        };
        assert_eq!(
            server_and_repository(&image("docker.io", "hello")),
            ("registry-1.docker.io".to_owned(), "library/hello".to_owned())
        );
        assert_eq!(server_and_repository(&image("ghcr.io", "hello")), ("ghcr.io".into(), "hello".into()));
    }
}
