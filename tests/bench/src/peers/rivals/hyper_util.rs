//! hyper-util's `client::legacy`: hyper's connections in a pool.

use http::{HeaderMap, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    super::{Client, Peer, check_answer, crew},
    Upload, headers, read, request,
};
use crate::{
    Fallible,
    rows::{Given, Row},
    site::Site,
    tls,
};

pub(crate) const PEER: Peer = Peer {
    name: "hyper-util",
    open: |row, site| {
        if row.link.is_tls() {
            crew::<HyperUtil<HttpsConnector<HttpConnector>>>(row, site)
        } else {
            crew::<HyperUtil<HttpConnector>>(row, site)
        }
    },
};

struct HyperUtil<C> {
    client: legacy::Client<C, Upload>,
    text: String,
    url: Uri,
    headers: HeaderMap,
}

impl<C: Dialler> Client for HyperUtil<C> {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(None);
        if !row.link.is_kept() {
            builder.pool_max_idle_per_host(0);
        }
        let client = builder.build(C::make(site)?);
        let text = site.url(row.link, row.path);
        let url: Uri = text.parse()?;
        let client = || Self {
            client: client.clone(),
            text: text.clone(),
            url: url.clone(),
            headers: headers(row.link),
        };
        Ok((0..row.tasks).map(|_| client()).collect())
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let url = match row.url {
            Given::Parsed => self.url.clone(),
            Given::Text => self.text.parse()?,
        };
        let request = request(row, url, &self.headers);
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        check_answer(row, status, read(row, response).await?)
    }
}

trait Dialler: Connect + Clone + Send + Sync + 'static {
    fn make(site: &Site) -> Fallible<Self>;
}

impl Dialler for HttpConnector {
    fn make(_: &Site) -> Fallible<Self> {
        let mut http = Self::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        Ok(http)
    }
}

impl Dialler for HttpsConnector<HttpConnector> {
    fn make(site: &Site) -> Fallible<Self> {
        let config = tls::client_config(&site.certificate)?;
        Ok(Self::from((HttpConnector::make(site)?, config)))
    }
}
