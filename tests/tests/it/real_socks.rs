//! Requests through SOCKS proxies that others wrote.

use std::sync::Arc;

use aio_client::{
    BasicAuth, ClientError, ClientSession, ConnectErrorKind, ConnectionError, Environment,
    RequestBuilder, TcpConnector,
};
use aio_tests::real_proxy::{DANTE, MICROSOCKS_AUTH, MICROSOCKS_OPEN, RealProxy};

use crate::real_proxies::{ADA, Nobody, Origin, exchange_through, got, listed, send, start};

fn session(origin: &Origin, scheme: &str, proxy: &RealProxy) -> ClientSession {
    let builder = origin
        .builder()
        .proxy(format!("{scheme}://{}", proxy.host()));
    builder.build().expect("valid")
}

/// Sends a request that the proxy refuses.
async fn refused(request: RequestBuilder) {
    let error = send(request).await.expect_err("it is refused");
    assert_eq!(
        error.aiohttp_class(),
        "ClientProxyConnectionError",
        "{error:?}"
    );
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
    let ClientError::Connection(ConnectionError::Connect(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), &ConnectErrorKind::Proxy);
}

#[tokio::test]
async fn all_kinds_of_requests_through_dante() {
    let Some(proxy) = start(&DANTE) else {
        return;
    };
    let origin = Origin::new().await;
    for scheme in ["socks4", "socks5h"] {
        let session = session(&origin, scheme, &proxy);
        exchange_through(&session, &origin).await;
        // One connection to the proxy for each server.
        assert_eq!(session.connector().stats().created, 2, "{scheme}");
    }
    listed(&proxy, "tcp/connect [", 4).await;
}

#[tokio::test]
async fn all_kinds_of_requests_through_microsocks() {
    let Some(proxy) = start(&MICROSOCKS_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let session = session(&origin, "socks5", &proxy);
    exchange_through(&session, &origin).await;
    assert_eq!(session.connector().stats().created, 2);
}

#[tokio::test]
async fn names_are_looked_up_by_dante() {
    // EDGE-200
    let Some(proxy) = start(&DANTE) else {
        return;
    };
    let origin = Origin::new().await;
    let connector = TcpConnector::builder()
        .tls(origin.authority.client())
        .resolver(Arc::new(Nobody));
    let builder = ClientSession::builder().connector(connector.build().expect("valid"));
    let session = builder.build().expect("valid");
    for server in [&origin.plain, &origin.tls] {
        let url = server.url("/").replace("127.0.0.1", "localhost");
        let by = |scheme: &str| {
            session
                .get(&*url)
                .proxy(format!("{scheme}://{}", proxy.host()))
        };
        assert_eq!(got(by("socks5h")).await, (200, "hello".into()));
        for scheme in ["socks5", "socks4"] {
            let error = send(by(scheme)).await.expect_err("nobody knows it");
            assert_eq!(error.aiohttp_class(), "ClientConnectorDNSError");
        }
        // The name that SOCKS4A has is lost on dante 1.4.
        refused(by("socks4a")).await;
    }
    // With a resolver, all go.
    let session = self::session(&origin, "socks5", &proxy);
    let url = origin.plain.url("/").replace("127.0.0.1", "localhost");
    for scheme in ["socks4", "socks5"] {
        let request = session
            .get(&*url)
            .proxy(format!("{scheme}://{}", proxy.host()));
        assert_eq!(got(request).await, (200, "hello".into()), "{scheme}");
    }
}

#[tokio::test]
async fn microsocks_asks_for_credentials() {
    let Some(proxy) = start(&MICROSOCKS_AUTH) else {
        return;
    };
    let origin = Origin::new().await;
    let session = origin.builder().build().expect("valid");
    for server in [&origin.plain, &origin.tls] {
        let url = server.url("/");
        let by = |userinfo: &str| {
            session
                .get(&*url)
                .proxy(format!("socks5h://{userinfo}{}", proxy.host()))
        };
        assert_eq!(got(by("ada:s3cret@")).await, (200, "hello".into()));
        let auth = BasicAuth::new("ada", "s3cret");
        assert_eq!(
            got(by("").proxy_auth(auth.clone())).await,
            (200, "hello".into())
        );
        assert_eq!(
            got(by("ada:wrong@").proxy_auth(auth)).await,
            (200, "hello".into())
        );
        for userinfo in ["", "ada:wrong@", "eve:s3cret@"] {
            refused(by(userinfo)).await;
        }
        // Who is known once is not taken for who is asked later.
        assert_eq!(got(by("ada:s3cret@")).await, (200, "hello".into()));
    }
    let told = origin.told().to_ascii_lowercase();
    for word in [&ADA.to_ascii_lowercase(), "s3cret", "proxy"] {
        assert!(!told.contains(word), "{told}");
    }
}

#[tokio::test]
async fn dante_refuses() {
    let Some(proxy) = start(&DANTE) else {
        return;
    };
    let origin = Origin::new().await;
    for scheme in ["socks4", "socks5", "socks5h"] {
        let session = session(&origin, scheme, &proxy);
        for host in ["127.0.0.2", "127.0.0.1:1"] {
            refused(session.get(format!("http://{host}/"))).await;
            refused(session.get(format!("https://{host}/"))).await;
        }
        if scheme == "socks5h" {
            refused(session.get("http://no-such-name.invalid/")).await;
        }
        assert_eq!(session.connector().stats().open, 0);
        assert_eq!(got(session.get(origin.plain.url("/"))).await.0, 200);
    }
}

#[tokio::test]
async fn microsocks_refuses() {
    let Some(proxy) = start(&MICROSOCKS_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let session = session(&origin, "socks5h", &proxy);
    for host in ["127.0.0.1:1", "no-such-name.invalid"] {
        refused(session.get(format!("http://{host}/"))).await;
        refused(session.get(format!("https://{host}/"))).await;
    }
    assert_eq!(got(session.get(origin.tls.url("/"))).await.0, 200);
}

#[tokio::test]
async fn microsocks_may_restart() {
    let Some(mut proxy) = start(&MICROSOCKS_OPEN) else {
        return;
    };
    let origin = Origin::new().await;
    let session = session(&origin, "socks5", &proxy);
    for created in [2, 4] {
        for server in [&origin.plain, &origin.tls] {
            let request = session.post(server.url("/echo")).body("once");
            assert_eq!(got(request).await, (200, "once".into()));
        }
        assert_eq!(session.connector().stats().created, created);
        proxy.restart().expect("it starts");
    }
    drop(proxy);
    refused(session.get(origin.plain.url("/"))).await;
    assert_eq!(origin.seen.lock().expect("no panic").len(), 4);
}

#[tokio::test]
async fn the_environment_names_microsocks() {
    let Some(proxy) = start(&MICROSOCKS_AUTH) else {
        return;
    };
    let origin = Origin::new().await;
    let url = format!("socks5h://ada:s3cret@{}", proxy.host());
    let wrong = format!("socks5h://ada:wrong@{}", proxy.host());
    let session = |environment: &[(&str, &str)]| {
        let environment = Environment::from_pairs(environment.iter().copied());
        let builder = origin.builder().trust_env(true).environment(environment);
        builder.build().expect("valid")
    };
    for server in [&origin.plain, &origin.tls] {
        let get = |environment: &[(&str, &str)]| session(environment).get(server.url("/"));
        assert_eq!(got(get(&[("all_proxy", &*url)])).await.0, 200);
        refused(get(&[("all_proxy", &*wrong)])).await;
        let around = [("all_proxy", &*wrong), ("no_proxy", "127.0.0.1")];
        assert_eq!(got(get(&around)).await.0, 200);
    }
}
