//! A server whose certificates come from a Workload API, asked over real sockets.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use govlog_tls::testing::{Authority, Issued};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fake::WorkloadApi;
use super::*;
use crate::access::Identity;
use crate::serve::{Limits, serve};
use crate::tls::{Settings, Source};

const PATIENCE: Duration = Duration::from_secs(20);
const LOG: &str = "spiffe://prod.example/log";
const PAY: &str = "spiffe://prod.example/pay";

struct World {
    _dir: TempDir,
    own: Authority,
    api: WorkloadApi,
    tls: Tls,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = Authority::of_trust_domain("prod.example");
        let api = WorkloadApi::start(&dir.path().join("api.sock"), LOG, &own.svid(LOG), &own);
        let settings = Settings { source: Some(Source::Workload(api.endpoint().to_owned())), ..Settings::default() };
        let tls = Tls::start(&settings).await.unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let who = async |request: Request| match request.extensions().get::<Identity>() {
            Some(Identity(id)) => id.to_string(),
            None => "nobody".to_owned(),
        };
        let (stop, stopping) = watch::channel(false);
        let router = Router::new().route("/", get(who));
        tokio::spawn(serve((listener, Some(tls.clone())), router, Limits::default(), stopping));
        Self { _dir: dir, own, api, tls, address, _stop: stop }
    }

    async fn connect(&self, shows: Option<&Issued>) -> std::io::Result<TlsStream<TcpStream>> {
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever(provider())));
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
                builder.with_client_auth_cert(vec![issued.der.clone().into()], key).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("log.prod.example").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Whom the server takes a client for, and the certificate that it shows itself.
    async fn ask(&self, shows: Option<&Issued>) -> std::io::Result<(String, Vec<u8>)> {
        let mut stream = self.connect(shows).await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time")?;
        Ok((answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned(), shown))
    }

    async fn until_replaced(&self, times: u64) {
        let looking = async {
            while self.tls.health().replacements() < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("it is replaced in time");
    }
}

/// A client that is tried for what it shows, and looks at what it is shown itself.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn a_workload_is_verified_by_the_bundle_of_its_own_trust_domain() {
    let world = World::start().await;
    assert_eq!(world.ask(None).await.unwrap().0, "nobody");
    assert_eq!(world.ask(Some(&world.own.svid(PAY))).await.unwrap().0, PAY);
    let foreign = Authority::of_trust_domain("test.example");
    let visitor = "spiffe://test.example/visitor";
    assert!(world.ask(Some(&foreign.svid(visitor))).await.is_err(), "nobody knows that domain");
    world.api.rotate(LOG, &world.own.svid(LOG), &world.own, &[("test.example", &foreign)]);
    world.until_replaced(1).await;
    assert_eq!(world.ask(Some(&foreign.svid(visitor))).await.unwrap().0, visitor);
    // Each authority speaks for its own domain alone, both of them known as they are.
    assert!(world.ask(Some(&foreign.svid(PAY))).await.is_err());
    assert!(world.ask(Some(&world.own.svid(visitor))).await.is_err());
    assert!(world.ask(Some(&world.own.client(&[]))).await.is_err(), "no SPIFFE ID is no workload");
    assert!(world.ask(Some(&world.own.expired_client(PAY))).await.is_err());
}

#[tokio::test]
async fn what_the_workload_api_sends_is_shown_at_the_next_handshake() {
    let world = World::start().await;
    let first = world.ask(None).await.unwrap().1;
    let second = world.own.svid(LOG);
    world.api.rotate(LOG, &second, &world.own, &[]);
    world.until_replaced(1).await;
    assert_eq!(world.ask(None).await.unwrap().1, second.der);
    assert_ne!(first, second.der);
    // The whole trust domain gets a new authority: the old one's certificates are worth nothing from then on.
    let renewed = Authority::of_trust_domain("prod.example");
    let mut kept = world.connect(Some(&world.own.svid(PAY))).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with(PAY) {
        answer.push(char::from(timeout(PATIENCE, kept.read_u8()).await.expect("an answer in time").unwrap()));
    }
    world.api.rotate(LOG, &renewed.svid(LOG), &renewed, &[]);
    world.until_replaced(2).await;
    // Those that are connected are asked again too, and have to go.
    let mut rest = Vec::new();
    drop(timeout(PATIENCE, kept.read_to_end(&mut rest)).await.expect("it is closed in time"));
    assert!(rest.is_empty());
    assert!(world.ask(Some(&world.own.svid(PAY))).await.is_err());
    assert_eq!(world.ask(Some(&renewed.svid(PAY))).await.unwrap().0, PAY);
}

#[tokio::test]
async fn what_is_right_is_shown_on_when_the_workload_api_is_away() {
    let World { _dir, own, api, tls, address, _stop } = World::start().await;
    drop(api);
    std::fs::remove_file(_dir.path().join("api.sock")).unwrap();
    let api = WorkloadApi::start(Path::new(&_dir.path().join("api.sock")), LOG, &own.svid(LOG), &own);
    let world = World { _dir, own, api, tls, address, _stop };
    assert_eq!(world.ask(Some(&world.own.svid(PAY))).await.unwrap().0, PAY);
    // And it is found again when it is back.
    world.until_replaced(1).await;
    assert_eq!(world.ask(Some(&world.own.svid(PAY))).await.unwrap().0, PAY);
}

/// Whoever signs with its SVID needs no handshake for it; the Workload API need not be there first.
#[tokio::test]
async fn a_signer_is_given_the_newest_svid_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let svids = Svids::start(&format!("unix://{}", socket.display())).unwrap();
    let newest = || svids.with_newest(LOG, |chain, key| (chain, key.to_vec()));
    newest().unwrap_err();
    let (own, until) = (Authority::of_trust_domain("prod.example"), async |issued: &Issued| {
        let looking = async {
            while newest() != Ok((vec![issued.der.clone()], issued.key_der.clone())) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("it is given in time");
    });
    let (first, second) = (own.svid(LOG), own.svid(LOG));
    let api = WorkloadApi::start(&socket, LOG, &first, &own);
    until(&first).await;
    api.rotate(LOG, &second, &own, &[]);
    until(&second).await;
    let why = svids.with_newest(PAY, |_, _| ()).unwrap_err();
    assert!(why.contains(LOG) && why.contains(PAY), "{why}");
    // Here, where nobody may wait for the end of a runtime.
    drop(svids);
}

#[tokio::test]
async fn who_looks_on_sees_certificates_and_bundles_and_what_becomes_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (own, foreign) = (Authority::of_trust_domain("prod.example"), Authority::of_trust_domain("test.example"));
    let (first, second) = (own.svid(PAY), own.svid(PAY));
    let svids = Svids::start(&format!("unix://{}", dir.path().join("api.sock").display())).unwrap();
    assert!(svids.shown().is_err(), "nobody answers yet");
    let api = WorkloadApi::start(&dir.path().join("api.sock"), PAY, &first, &own);
    let until = async |leaf: &Issued| {
        let seen = async {
            loop {
                match svids.shown() {
                    Ok(shown) if shown.leaves == [leaf.der.clone()] => return shown,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        timeout(PATIENCE, seen).await.unwrap()
    };
    assert_eq!(until(&first).await.bundles, [("prod.example".to_owned(), own.der())]);
    api.rotate(PAY, &second, &own, &[("test.example", &foreign)]);
    let mut bundles = until(&second).await.bundles;
    bundles.sort();
    assert_eq!(bundles, [("prod.example".to_owned(), own.der()), ("test.example".to_owned(), foreign.der())]);
}
