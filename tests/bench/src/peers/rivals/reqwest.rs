//! reqwest's client.

use reqwest::{Body, Response};
use url::Url;

use super::{
    super::{CHUNK, Client, Peer, UPLOAD_CHUNK, check_answer, crew},
    Upload, check_headers, headers, method,
};
use crate::{
    Fallible,
    rows::{Given, Reading, Row},
    site::Site,
    tls,
};

pub(crate) const PEER: Peer = Peer {
    name: "reqwest",
    open: |row, site| crew::<Reqwest>(row, site),
};

struct Reqwest {
    client: reqwest::Client,
    text: String,
    url: Url,
}

impl Client for Reqwest {
    async fn open(row: Row, site: &Site) -> Fallible<Vec<Self>> {
        let builder = reqwest::Client::builder()
            .default_headers(headers(row.link))
            .tls_backend_preconfigured(tls::client_config(&site.certificate)?)
            .pool_idle_timeout(None);
        let client = if row.link.is_kept() {
            builder
        } else {
            builder.pool_max_idle_per_host(0)
        }
        .build()?;
        let text = site.url(row.link, row.path);
        let url = Url::parse(&text)?;
        let client = || Self {
            client: client.clone(),
            text: text.clone(),
            url: url.clone(),
        };
        Ok((0..row.tasks).map(|_| client()).collect())
    }

    async fn exchange(&mut self, row: Row) -> Fallible<()> {
        let request = match row.url {
            Given::Parsed => self.client.request(method(row), self.url.clone()),
            Given::Text => self.client.request(method(row), &self.text),
        };
        let request = match row.upload_len {
            0 => request,
            length @ ..=CHUNK => request.body(&UPLOAD_CHUNK[..length]),
            left => request.body(Body::wrap(Upload { left })),
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        check_headers(row, response.headers())?;
        let length = match row.reading {
            Reading::Whole | Reading::TenHeaders | Reading::Decoded(_) => {
                response.bytes().await?.len()
            }
            Reading::Chunks => length_of(response).await?,
        };
        check_answer(row, status, length)
    }
}

async fn length_of(mut response: Response) -> Fallible<usize> {
    let mut length = 0;
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len();
    }
    Ok(length)
}
