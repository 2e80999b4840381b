//! Proxies that the environment names.

use aio_client::{BasicAuth, Environment};
use aio_tests::http_server::Response;

use crate::netrc::Netrc;
use crate::proxy::{ADA, failed, from_environment, proxied, session, site, text};
use crate::site::Site;

#[tokio::test]
async fn the_environment_is_asked_with_each_hop() {
    // RED-33, EDGE-101: what one proxy is told the other is not, nor a host without any.
    let proxy = Site::new(|request| match request.target.as_str() {
        "http://a.test/1" => Response::new(302).header("Location", "http://b.test/2"),
        _ => Response::ok("proxied"),
    })
    .await;
    let direct = Site::new(|_| Response::ok("direct")).await;
    let host = format!("http://ada:pw@{}", proxy.host());
    let environment = [("http_proxy", host.as_str()), ("no_proxy", "b.test")];
    let environment = Environment::from_pairs(environment);
    let session = session(direct.session().trust_env(true).environment(environment));
    assert_eq!(text(session.get("http://a.test/1")).await, "direct");
    assert_eq!(proxy.last_values("proxy-authorization"), [ADA]);
    assert_eq!(direct.asked(), ["GET /2"]);
    assert!(direct.last_values("proxy-authorization").is_empty());
}

#[tokio::test]
async fn who_is_asked_goes_by_the_request_then_the_session_then_the_environment() {
    // CON-96.
    let (named, environment, direct) = (site().await, site().await, site().await);
    let url = environment.url("");
    let from_environment = || from_environment(&[("all_proxy", &url)]);
    let counts = || [&named, &environment, &direct].map(|site| site.asked().len());
    let request = session(from_environment()).get(direct.url("/"));
    text(request).await;
    assert_eq!(counts(), [0, 1, 0]);
    text(
        session(from_environment())
            .get(direct.url("/"))
            .proxy(named.url("")),
    )
    .await;
    assert_eq!(counts(), [1, 1, 0]);
    text(session(from_environment().proxy(named.url(""))).get(direct.url("/"))).await;
    assert_eq!(counts(), [2, 1, 0]);
    text(session(from_environment()).get(direct.url("/")).no_proxy()).await;
    assert_eq!(counts(), [2, 1, 1]);
    text(session(from_environment().no_proxy()).get(direct.url("/"))).await;
    assert_eq!(counts(), [2, 1, 2]);
    text(proxied(&named).get(direct.url("/")).no_proxy()).await;
    assert_eq!(counts(), [2, 1, 3]);
    text(
        session(from_environment().no_proxy())
            .get(direct.url("/"))
            .proxy(named.url("")),
    )
    .await;
    assert_eq!(counts(), [3, 1, 3]);
    // Not trusted, it is not asked.
    text(session(from_environment().trust_env(false)).get(direct.url("/"))).await;
    assert_eq!(counts(), [3, 1, 4]);
    // What is said of a proxy that is named is not for those of the environment.
    let auth = BasicAuth::new("ada", "pw");
    text(
        session(from_environment())
            .get(direct.url("/"))
            .proxy_auth(auth),
    )
    .await;
    assert_eq!(counts(), [3, 2, 4]);
    assert!(environment.last_values("proxy-authorization").is_empty());
}

#[tokio::test]
async fn a_netrc_file_has_credentials_of_proxies() {
    // CON-95, AUT-18.
    let site = site().await;
    let netrc = Netrc::new("machine 127.0.0.1 login ada password pw");
    let check = async |proxy: String, want: &str| {
        let session = from_environment(&[("http_proxy", &proxy), ("NETRC", netrc.path())]);
        text(session.build().expect("valid").get("http://a.test/")).await;
        assert_eq!(site.last_values("proxy-authorization"), [want]);
        assert!(site.last_values("authorization").is_empty());
    };
    check(site.url(""), ADA).await;
    check(format!("http://u:w@{}", site.host()), "Basic dTp3").await;
}

#[tokio::test]
async fn a_proxy_of_the_environment_that_is_none_is_an_error() {
    // CON-93: to go on without it is to show strangers what was to be hidden.
    for (url, class) in [
        ("h:1", "InvalidURL"),
        ("http://u:s3cret@h:port", "ValueError"),
        ("http://", "InvalidURL"),
        ("ftp://u:s3cret@h:1", "ValueError"),
    ] {
        let bad = [("HTTP_PROXY", url), ("no_proxy", "127.0.0.2")];
        let session = session(from_environment(&bad));
        let error = failed(session.get("http://127.0.0.1:1/")).await;
        assert_eq!(error.aiohttp_class(), class);
        let shown = format!("{error} {error:?}");
        assert!(
            shown.starts_with("cannot use the proxy of HTTP_PROXY "),
            "{shown}"
        );
        assert!(!shown.contains("s3cret"), "{shown}");
        // Who does not need it, does not mind: it is refused, and not for the proxy.
        for request in [
            session.get("http://127.0.0.1:1/").no_proxy(),
            session.get("http://127.0.0.2:1/"),
            session.get("https://127.0.0.1:1/"),
        ] {
            assert_eq!(
                failed(request).await.aiohttp_class(),
                "ClientConnectorError"
            );
        }
    }
}
