//! The page that people read of a custody file, made of what real systems did.

use std::fs;
use std::path::Path;

use harness::reader::Reader;
use serde_json::Value;

use super::custody::{captured, document, trace};

/// What stands between two marks of a page, the first of them once.
fn between<'p>(page: &'p str, begin: &str, end: &str) -> &'p str {
    let (_, rest) = page.split_once(begin).unwrap_or_else(|| panic!("{begin} is not on the page"));
    rest.split_once(end).unwrap_or_else(|| panic!("{end} is not on the page")).0
}

#[test]
fn a_page_of_the_captured_chain_tells_it_from_the_verdict_to_the_fields() {
    let scene = captured();
    let reader = Reader::of(&scene.network, "investigator");
    let path = |name: &str| scene.network.path(name);
    let run = |command: &[&str]| reader.trusting(&[&["custody"], command].concat());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (file, out) = (text(&path("case.zip")), text(&path("case.html")));
    let url = scene.network.log.url();
    run(&["export", "--log", &url, "--trace", &trace(&scene), "--complete", "--out", &file]).expect(0);
    let verdict = document(&run(&["verify", &file, "--json"]));

    let made = run(&["report", &file, "--out", &out, "--json"]);
    made.expect(0);
    assert_eq!(document(&made)["verdict"], "verified");
    let page = fs::read_to_string(&out).unwrap();
    told(&page, &verdict);
    // The same again, wherever the file lies.
    let (moved, again) = (text(&path("moved.zip")), text(&path("again.html")));
    fs::copy(&file, &moved).unwrap();
    run(&["report", &moved, "--out", &again]).expect(0);
    assert!(page == fs::read_to_string(&again).unwrap());

    // What is refused has no page, and one that is there stays; the evidence is never written over.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&moved, &bytes).unwrap();
    let refused = run(&["report", &moved, "--out", &again]);
    refused.expect(1);
    assert!(refused.stdout.contains("no page is written") && page == fs::read_to_string(&again).unwrap());
    let none = text(&path("none.html"));
    run(&["report", &moved, "--out", &none]).expect(1);
    assert!(!Path::new(&none).exists());
    run(&["report", &moved, "--out", &moved]).expect(2);
    assert!(bytes == fs::read(&moved).unwrap());
}

/// Everything that the verdict says is on the page, in its order, and nothing there runs or is fetched.
fn told(page: &str, verdict: &Value) {
    let parts: Vec<&str> = page.split("<h2 id=\"").skip(1).map(|rest| between(rest, ">", "<")).collect();
    let expected = [
        "What is not proved",
        "Witnesses and times",
        "What is here",
        "Exceptions",
        "The chain",
        "How to verify it",
        "Timeline",
        "Entries",
    ];
    assert_eq!(parts, expected);
    let entries = verdict["entries"].as_array().unwrap();
    assert_eq!(page.matches("<article ").count(), entries.len());
    for entry in entries {
        let id = entry["id"].as_str().unwrap();
        let article = between(page, &format!("<article id=\"entry-{}\"", id.replace('.', "-")), "</article>");
        for said in [entry["kind"].as_str().unwrap(), entry["iss"].as_str().unwrap(), entry["leaf"].as_str().unwrap()] {
            assert!(article.contains(said), "{id}: {said}");
        }
        for sealed in entry["sealed"].as_array().unwrap() {
            let row = between(article, &format!("<bdi>{}</bdi>", sealed.as_str().unwrap()), "</tr>");
            assert!(row.contains(">sealed<"), "{id}: {row}");
        }
    }
    for digest in ["manifest_sha256", "file_sha256", "trust_fingerprint", "root"] {
        assert!(between(page, "id=\"verify\"", "</section>").contains(verdict[digest].as_str().unwrap()), "{digest}");
    }
    assert_eq!(page.matches("<svg ").count(), 2, "for wide and for narrow screens");
    let steps = between(page, "<ol class=\"steps\">", "</ol>");
    let at =
        |kind: &str| steps.find(&format!("<strong><bdi>{kind}</bdi>")).unwrap_or_else(|| panic!("{kind}: {steps}"));
    let down = ["signing-key", "issuance", "decision", "effect"].map(at);
    assert!(down.is_sorted() && at("registration") < at("issuance") && at("attestation") < at("issuance"), "{steps}");
    assert!(between(steps, "<bdi>decision</bdi>", "</ul>").contains("authenticated by "), "{steps}");
    for word in ["<script", " src=", " style=", "url(", "<link", "<img", "@import", "javascript:"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')), "links lead within the page");
}
