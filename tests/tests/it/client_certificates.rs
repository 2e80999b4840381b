//! Certificates of the client, which nginx asks for.

use aio_client::{ClientSession, TlsConfig};
use aio_tests::nginx::Nginx;
use aio_tests::tls::Authority;

use crate::peer::soon;
use crate::servers::check_pool;

/// A session that trusts `server`, and shows a certificate of `client` if that is there.
fn session(server: &Authority, client: Option<&Authority>) -> ClientSession {
    let mut tls = TlsConfig::builder().root_certificate_pem(server.pem());
    if let Some(client) = client {
        let (chain, key) = client.server_pem(&["me"]);
        tls = tls.client_certificate_pem(chain, key);
    }
    crate::tls::session(tls.build().expect("certificates"))
}

/// What nginx answers, and what it says of the client's certificate; two requests, which
/// share a connection where nginx keeps it.
async fn check(nginx: &Nginx, session: &ClientSession, status: u16, verified: &str, text: &str) {
    for request in 1..=2 {
        let post = session.post(nginx.url("/")).body("hello").send();
        let mut response = soon("an answer", post).await.expect("nginx answers");
        assert_eq!(response.status(), status, "{verified}");
        let header = |name| {
            let value = response.headers().get(name).expect("nginx tells");
            value.to_str().expect("ASCII").to_owned()
        };
        // Behind `FAILED` stand OpenSSL's words.
        let judged = header("x-verified");
        assert!(judged.starts_with(verified), "{verified}: {judged}");
        // It closes behind a 400, and keeps the connection else.
        let served = if status == 400 { 1 } else { request };
        assert_eq!(header("x-requests"), served.to_string(), "{verified}");
        let body = response.text().await.expect("a body");
        assert!(body.contains(text), "{verified}: {body}");
    }
    check_pool(session, usize::from(status == 200), verified);
}

#[tokio::test]
async fn nginx_judges_the_certificate_of_the_client() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for version in ["TLSv1.2", "TLSv1.3"] {
        for verify in ["on", "optional"] {
            let settings = format!(
                "ssl_protocols {version}; ssl_client_certificate authority.pem; \
                 ssl_verify_client {verify}; add_header X-Verified $ssl_client_verify always;"
            );
            let nginx = Nginx::start_tls(&authority, &settings).expect("nginx starts");
            let Some(nginx) = nginx else {
                return;
            };
            let right = session(&authority, Some(&authority));
            check(&nginx, &right, 200, "SUCCESS", "nginx\n").await;
            // Its refusals are responses as any.
            let missing = session(&authority, None);
            if verify == "on" {
                let text = "No required SSL certificate was sent";
                check(&nginx, &missing, 400, "NONE", text).await;
            } else {
                check(&nginx, &missing, 200, "NONE", "nginx\n").await;
            }
            let wrong = session(&authority, Some(&stranger));
            let text = "The SSL certificate error";
            check(&nginx, &wrong, 400, "FAILED", text).await;
        }
    }
}
