//! The description of the API: it is the file, it names every route, and every example in it is what a log answers.

mod described;
mod document;
mod examples;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;

use govlog_daemon::serve::{Limits, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(super) use self::described::Description;
use self::document::Asked;
use crate::http::openapi::DOCUMENT;
use crate::http::routes::ROUTES;
use crate::http::testing::{Answer, Rig};

const AGAIN: &str = "GOLDEN=write cargo test -p govlog-server --lib openapi::the_file";

/// The log that the examples are of, served on a socket.
struct Served {
    rig: Rig,
    url: String,
    client: reqwest::Client,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Makes the log that the description tells of: "entries 1 to 3 are the first statements of the stream `s` […], published one by one; entry 4
    /// is committed and not yet published". A second statement for the place of entry 1 was refused.
    async fn start() -> Self {
        let rig = Rig::start().await;
        rig.publish_each(&examples::chain()[..3]).await;
        rig.hold();
        assert_eq!(rig.log(&examples::unpublished()).await, 4);
        assert_eq!(rig.submit("/entries", examples::rival().entry()).await.status, 409);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, rig.router.clone(), Limits::default(), stopping));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { rig, url, client, stop, serving }
    }

    async fn ask(&self, asked: &Asked) -> Answer {
        let mut request = self.client.request(asked.method.clone(), format!("{}{}", self.url, asked.path));
        if let Some((media, body)) = &asked.body {
            request = request.header("content-type", media).body(body.clone());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.serving.await.unwrap();
        self.rig.release();
        self.rig.stop().await;
    }
}

/// Asks everything that the examples of a document ask: each that submits something of a log of its own.
async fn ask_all(document: &Value) -> Vec<(Asked, Answer)> {
    let mut all = Vec::new();
    let shared = Served::start().await;
    for asked in document::asked(document) {
        let answer = if asked.body.is_some() {
            let own = Served::start().await;
            let answer = own.ask(&asked).await;
            own.stop().await;
            answer
        } else {
            shared.ask(&asked).await
        };
        all.push((asked, answer));
    }
    shared.stop().await;
    all
}

/// "`GET /openapi.json`: the API's own description, a golden file in the tests" (DESIGN §8.1)
#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_the_parts_with_what_a_log_answers_to_the_examples() {
    let mut expected = document::assemble();
    let examples = examples::all();
    examples.iter().for_each(|example| document::insert(&mut expected, example));
    for (asked, answer) in ask_all(&expected).await {
        document::answered(&mut expected, &asked, &answer);
    }
    let expected = serde_json::to_string_pretty(&expected).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/openapi/openapi.json");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&file, &expected).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    let line = golden.lines().zip(expected.lines()).take_while(|(old, new)| old == new).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    assert!(
        golden == expected,
        "openapi.json, line {}:\n  golden: {}\n  now:    {}\nif that is right: {AGAIN}",
        line + 1,
        at(&golden),
        at(&expected)
    );
}

/// From the file alone, as whoever fetches it would: what an example asks is answered with what it says, in every byte.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_answered_as_it_says() {
    let document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    let description = Description::get();
    let mut operations = BTreeSet::new();
    for (asked, answer) in ask_all(&document).await {
        let path = asked.path.split('?').next().unwrap();
        description.check(asked.method.as_str(), path, &answer).unwrap();
        // Writing the answer where an example of its name stands changes nothing.
        let mut again = document.clone();
        document::answered(&mut again, &asked, &answer);
        assert_eq!(again, document, "{asked:?}");
        operations.insert(asked.operation);
    }
    let described = document["paths"].as_object().unwrap().iter();
    let described =
        described.flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (path, method)));
    let without: Vec<_> = described
        .filter(|(path, method)| !operations.contains(&format!("/paths/{}/{method}", path.replace('/', "~1"))))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(without, ["/openapi.json"], "every operation but that of the description itself has an example");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_and_no_other() {
    let document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    let described: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        // OpenAPI has no parameter of several segments.
        .map(|path| if path.starts_with("/tile/") { "/tile/{*path}" } else { path.as_str() })
        .collect();
    let routed: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(described, routed, "openapi/parts says what the routes are");

    // The methods: those described, and HEAD where GET is.
    let rig = Rig::start().await;
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template.replace(['{', '}'], "");
        let answer = rig.ask("PATCH".parse().unwrap(), &path, None, Vec::new()).await;
        assert_eq!(answer.status, 405, "{path}");
        let mut methods: Vec<String> =
            item.as_object().unwrap().keys().map(|method| method.to_ascii_uppercase()).collect();
        if methods.contains(&"GET".to_owned()) {
            methods.push("HEAD".to_owned());
        }
        methods.sort_unstable();
        assert_eq!(answer.allow(), methods, "{path}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_as_the_file_stands_and_takes_no_parameter() {
    let rig = Rig::start().await;
    let answer = rig.get("/openapi.json").await;
    assert!(answer.status == 200 && answer.body == DOCUMENT);
    assert_eq!((answer.content_type(), answer.cache()), ("application/json", "no-store"));
    let refused = rig.get("/openapi.json?format=yaml").await;
    assert_eq!((refused.status, &refused.json_problem()["title"]), (400, &"Malformed request".into()));
    rig.stop().await;
}

/// Numbers that stand in prose or in a schema are those of the code.
#[test]
fn the_description_has_the_bounds_of_the_code() {
    use govlog_formats::limits::{
        MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS, MAX_ENTRY_BYTES, MAX_PROOF_HASHES, MAX_SUBMISSION_BYTES,
    };
    use govlog_formats::merkle::TreeSize;

    use crate::http::Times;
    use crate::http::records::{MAX_TERMS, PAGE};
    let document: Value = serde_json::from_slice(DOCUMENT).unwrap();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["TreeSize"]["maximum"], TreeSize::MAX.get());
    assert_eq!(schemas["LeafIndex"]["maximum"], TreeSize::MAX.get() - 1);
    assert_eq!(schemas["Path"]["maxItems"], MAX_PROOF_HASHES);
    assert_eq!(schemas["BatchResults"]["maxItems"], MAX_BATCH_STATEMENTS);
    assert_eq!((MAX_SUBMISSION_BYTES, MAX_BATCH_BYTES, MAX_ENTRY_BYTES), (128 << 10, 8 << 20, 65_535));
    let post = |path: &str| document["paths"][path]["post"].to_string();
    assert!(post("/entries").contains("128 KiB") && schemas["SignedStatement"].to_string().contains("65,535"));
    assert!(post("/v1/batches").contains("1,024 statements and 8 MiB"));
    let search = &document["paths"]["/v1/records"]["get"];
    let maximum = |name: &str| {
        let parameters = search["parameters"].as_array().unwrap();
        parameters.iter().find(|one| one["name"] == name).unwrap()["schema"]["maximum"].clone()
    };
    assert_eq!(
        (schemas["Records"]["properties"]["ids"]["maxItems"].clone(), maximum("limit")),
        (PAGE.into(), PAGE.into())
    );
    assert_eq!(
        (maximum("since"), maximum("until"), maximum("at")),
        (u64::MAX.into(), u64::MAX.into(), TreeSize::MAX.get().into())
    );
    assert_eq!((PAGE, MAX_TERMS, Times::default().at.as_secs()), (1_000, 16, 5));
    let search = search.to_string();
    assert!(["by default 1,000", "sixteen in all", "up to 5 s"].iter().all(|bound| search.contains(bound)));
}
