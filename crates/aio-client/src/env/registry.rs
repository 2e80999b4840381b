//! What Windows says of proxies, read as Python reads it.

/// Returns the settings of the user as variables; none if no proxy is set.
#[cfg(windows)]
pub(super) fn variables() -> Vec<(String, String)> {
    let path = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    let read = || {
        let settings = windows_registry::CURRENT_USER.open(path).ok()?;
        let enabled = settings.get_u32("ProxyEnable").ok()? != 0;
        let servers = settings.get_string("ProxyServer").ok()?;
        let bypassed = settings.get_string("ProxyOverride").unwrap_or_default();
        enabled.then(|| of_settings(&servers, &bypassed))
    };
    read().unwrap_or_default()
}

/// Turns `ProxyServer` and `ProxyOverride` into variables.
fn of_settings(servers: &str, bypassed: &str) -> Vec<(String, String)> {
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
    let entries: Vec<_> = bypassed.split(';').filter_map(entry).collect();
    let no_proxy = match entries.iter().any(|entry| entry == "*") {
        true => "*".to_owned(),
        false => entries.join(","),
    };
    variables.push(("no_proxy".into(), no_proxy));
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

/// Turns an entry into one of `no_proxy`; stars elsewhere than at an end have no such form.
fn entry(text: &str) -> Option<String> {
    let text = text.trim();
    match text.strip_prefix("*.").unwrap_or(text) {
        "*" => Some("*".into()),
        name if !name.contains('*') => Some(name.into()),
        address => network(address),
    }
}

/// Turns `10.*` into `10.0.0.0/8`.
fn network(text: &str) -> Option<String> {
    let known: Vec<u8> = text
        .split('.')
        .take_while(|part| *part != "*")
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let mut rest = text.split('.').skip(known.len());
    let mut bytes = [0; 4];
    if !(1..bytes.len()).contains(&known.len()) || !rest.all(|part| part == "*") {
        return None;
    }
    bytes.get_mut(..known.len())?.copy_from_slice(&known);
    Some(format!(
        "{}/{}",
        std::net::Ipv4Addr::from(bytes),
        known.len() * 8
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(servers: &str, bypassed: &str, http: &str, https: &str, no_proxy: &str) {
        let variables = of_settings(servers, bypassed);
        let of = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value)
        };
        let got = ["http_proxy", "https_proxy", "no_proxy"].map(of);
        assert_eq!(got, [http, https, no_proxy], "{servers:?} {bypassed:?}");
    }

    #[test]
    fn settings_become_variables() {
        check("p:8080", "", "http://p:8080", "http://p:8080", "");
        check("https://p:8080", "", "https://p:8080", "https://p:8080", "");
        check("http=a:1;https=b:2", "", "http://a:1", "http://b:2", "");
        check("https=b:2", "", "", "http://b:2", "");
        check(
            "HTTP=a:1;ftp=f:1;socks=s:3",
            "",
            "http://a:1",
            "socks4://s:3",
            "",
        );
        check("socks=socks5://s:3", "", "socks5://s:3", "socks5://s:3", "");
        check("", "", "", "", "");
        check("http=", "", "", "", "");
    }

    #[test]
    fn what_is_bypassed_becomes_no_proxy() {
        let list = " <local>;*.corp.test; 10.*;192.168.*.*;a.test;c*d;*x;172.*.1.*;fe80::1";
        let want = "<local>,corp.test,10.0.0.0/8,192.168.0.0/16,a.test,fe80::1";
        check("p:1", list, "http://p:1", "http://p:1", want);
        check("p:1", "a.test;*", "http://p:1", "http://p:1", "*");
        check("p:1", "1.2.3.4.*;256.*;.*", "http://p:1", "http://p:1", "");
    }
}
