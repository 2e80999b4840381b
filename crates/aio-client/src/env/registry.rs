//! What Windows says of proxies, read as Python reads it.

#[cfg(windows)]
use crate::no_proxy::NoProxy;

/// Returns the settings of the user, as variables and what is excepted; none if no proxy is
/// set.
#[cfg(windows)]
pub(super) fn settings() -> (Vec<(String, String)>, NoProxy) {
    let path = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    let read = || {
        let settings = windows_registry::CURRENT_USER.open(path).ok()?;
        let enabled = settings.get_u32("ProxyEnable").ok()? != 0;
        let servers = settings.get_string("ProxyServer").ok()?;
        let bypassed = settings.get_string("ProxyOverride").unwrap_or_default();
        enabled.then(|| (variables(&servers), NoProxy::of_windows(&bypassed)))
    };
    read().unwrap_or_default()
}

/// Turns `ProxyServer` into variables.
fn variables(servers: &str) -> Vec<(String, String)> {
    let server_of = |wanted: &str, scheme: &str| {
        let mut each = servers.split(';').filter_map(|part| part.split_once('='));
        let (_, server) = each.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        with_scheme(server, scheme)
    };
    let one_for_all = || match servers.contains(['=', ';']) {
        true => None,
        false => with_scheme(servers, "http"),
    };
    let mut variables = Vec::new();
    for scheme in ["http", "https"] {
        let server = server_of(scheme, "http")
            .or_else(one_for_all)
            .or_else(|| server_of("socks", "socks4"));
        variables.extend(server.map(|server| (format!("{scheme}_proxy"), server)));
    }
    variables
}

fn with_scheme(server: &str, scheme: &str) -> Option<String> {
    let server = server.trim();
    if server.is_empty() {
        return None;
    }
    Some(match server.contains("://") {
        true => server.to_owned(),
        false => format!("{scheme}://{server}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(servers: &str, http: &str, https: &str) {
        let variables = variables(servers);
        let of = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value)
        };
        let got = ["http_proxy", "https_proxy"].map(of);
        assert_eq!(got, [http, https], "{servers:?}");
    }

    #[test]
    fn settings_become_variables() {
        check("p:8080", "http://p:8080", "http://p:8080");
        check("https://p:8080", "https://p:8080", "https://p:8080");
        check("http=a:1;https=b:2", "http://a:1", "http://b:2");
        check("https=b:2", "", "http://b:2");
        check("HTTP=a:1;ftp=f:1;socks=s:3", "http://a:1", "socks4://s:3");
        check("socks=socks5://s:3", "socks5://s:3", "socks5://s:3");
        check("", "", "");
        check("http=", "", "");
    }
}
