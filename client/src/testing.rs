//! A log in memory, for tests: real keys, real signatures, every size published when asked.

#![expect(clippy::cast_possible_truncation, reason = "logs of tests have a few hundred entries")]
#![expect(clippy::new_without_default, reason = "it is made in one way")]
#![expect(clippy::missing_panics_doc, reason = "in a test a panic is the report")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the report")]

use std::collections::HashMap;
use std::path::Path;

use govlog_formats::admission::{
    Change, ChangeFields, Credentials, Expected, GenesisRequest, IssuerRow, LogRow, OperatorApproval, ReceiptKey, Word,
    approval_statement, operator_statement,
};
use govlog_formats::cbor::{Value, to_deterministic};
use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::member::tally::Tally;
use govlog_formats::merkle::{InclusionProof, LeafIndex, MemoryTree, NodeReader, TreeSize};
use govlog_formats::note::{KeyName, Note, NoteSigner, SignatureAlgorithm};
use govlog_formats::receipt::{ReceiptClaims, SignedRoot};
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition, content_type_of};
use govlog_formats::tile::{self, TilePath};
use govlog_formats::tlog_proof::TlogProof;
use govlog_formats::transparent;

use crate::trust::TrustDir;

/// The log's origin.
pub const ORIGIN: &str = "log.example/test";
/// Who may submit decisions and issuances.
pub const ISSUER: &str = "spiffe://prod.example/pep";
/// When the witnesses of a note cosign: 100, 200, 300 s after this.
pub const COSIGNED: u64 = 1_700_000_000;

/// A log that its test writes by hand.
pub struct TestLog {
    /// Signs changes of the admission policy.
    pub operator: SigningKey,
    /// The key of [`ISSUER`].
    pub issuer: SigningKey,
    /// Signs receipts.
    pub receipt: SigningKey,
    /// Signs notes.
    pub log: NoteSigner,
    /// Cosign notes.
    pub witnesses: Vec<NoteSigner>,
    /// The entries, in order.
    pub entries: Vec<Vec<u8>>,
    /// Where the issuer's one stream goes on.
    pub next: Expected,
    /// Where the operator's stream goes on.
    admission: Expected,
    /// Where the streams of approvals go on, by the operator's key id.
    approvals: HashMap<Digest, Expected>,
}

impl TestLog {
    /// Makes a trust directory that knows the log's admission policy as of entry 1.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn trusted_in(&self, folder: &Path) -> TrustDir {
        let mut dir = TrustDir::create(folder, &self.policy(), &self.entries[0]).unwrap();
        let (change, note) = (LeafIndex::new(1), self.note_of(self.size(), &[0, 1]));
        dir.add_change(change, &self.entries[1], &self.tlog_proof(change, &note)).unwrap();
        dir
    }

    /// Makes a log whose entry 0 names its keys, and whose entry 1 lets [`ISSUER`] submit decisions.
    pub fn new() -> Self {
        let key = |curve, byte| SigningKey::from_seed(curve, &[byte; 32]).unwrap();
        let log = signer(ORIGIN, SignatureAlgorithm::Ed25519, 1);
        let witnesses =
            (0..3).map(|n| signer(&format!("w{n}.example"), SignatureAlgorithm::CosignatureEd25519, 10 + n)).collect();
        let mut made = Self {
            operator: key(Curve::Ed25519, 2),
            issuer: key(Curve::Ed25519, 3),
            receipt: key(Curve::P256, 4),
            log,
            witnesses,
            entries: Vec::new(),
            next: Expected::START,
            admission: Expected::START,
            approvals: HashMap::new(),
        };
        let row = LogRow {
            origin: ORIGIN.to_owned(),
            checkpoint: made.log.vkey().clone(),
            receipts: vec![ReceiptKey { key: made.receipt.public(), from: 0, below: None }],
        };
        let genesis = GenesisRequest::new(row).unwrap().sign(&made.operator, 1_700_000_000_000).unwrap();
        made.admission = Expected { seq: 1, prev: genesis.sig_structure_digest() };
        made.entries.push(genesis.entry().to_vec());
        made.change(ChangeFields { set: vec![made.issuer_row()], ..ChangeFields::default() });
        made
    }

    /// The row that admits [`ISSUER`].
    pub fn issuer_row(&self) -> IssuerRow {
        IssuerRow {
            iss: ISSUER.to_owned(),
            credentials: Credentials::Keys(vec![self.issuer.public()]),
            kinds: ["decision", "decision-batch", "issuance", "policy"].map(str::to_owned).to_vec(),
            subjects: vec!["spiffe://prod.example/".to_owned()],
            rate: None,
            max_age_s: None,
        }
    }

    /// Appends a change of the admission policy and returns its index.
    pub fn change(&mut self, fields: ChangeFields) -> LeafIndex {
        let statement = self.draft(fields);
        self.take(&statement)
    }

    /// Signs the next change of the admission policy.
    pub fn draft(&self, fields: ChangeFields) -> SignedStatement {
        let change = Change::new(ChangeFields { event_ms: 1_700_000_000_000, ..fields }).unwrap();
        operator_statement(ORIGIN, &change, self.admission, 1_700_000_000, &self.operator).unwrap()
    }

    /// Appends a change that was drafted.
    pub fn take(&mut self, draft: &SignedStatement) -> LeafIndex {
        self.admission = Expected { seq: self.admission.seq + 1, prev: draft.sig_structure_digest() };
        self.append(draft.entry().to_vec())
    }

    /// Appends an operator's word on a change.
    pub fn say(&mut self, operator: &SigningKey, about: &SignedStatement, word: Word) -> LeafIndex {
        let approved = about.sig_structure_digest();
        let approval = OperatorApproval { event_ms: 1_700_000_000_000, approved, word, expires_ms: None };
        let place = self.approvals.entry(operator.public().thumbprint()).or_insert(Expected::START);
        let statement = approval_statement(ORIGIN, &approval, None, *place, 1_700_000_000, operator).unwrap();
        *place = Expected { seq: place.seq + 1, prev: statement.sig_structure_digest() };
        self.append(statement.entry().to_vec())
    }

    /// Signs the next statement of the issuer's stream.
    pub fn statement(&self, kind: &str, payload: &[u8]) -> SignedStatement {
        let position = StreamPosition { stream: "s-1".to_owned(), seq: self.next.seq, prev: self.next.prev };
        sign(&self.issuer, kind, payload, Some(position))
    }

    /// Appends a statement to the issuer's stream and returns its index.
    pub fn add(&mut self, kind: &str, payload: &[u8]) -> LeafIndex {
        let statement = self.statement(kind, payload);
        self.next = Expected { seq: self.next.seq + 1, prev: statement.sig_structure_digest() };
        self.append(statement.entry().to_vec())
    }

    /// Appends a statement to the issuer's stream, about another subject and signed at another time, and returns its index.
    pub fn add_at(&mut self, kind: &str, payload: &[u8], (sub, iat): (&str, i64)) -> LeafIndex {
        let mut claims = self.statement(kind, payload).claims().clone();
        (claims.sub, claims.iat) = (sub.to_owned(), iat);
        let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
        let statement = SignedStatement::sign(&header, payload, &self.issuer).unwrap();
        self.next = Expected { seq: self.next.seq + 1, prev: statement.sig_structure_digest() };
        self.append(statement.entry().to_vec())
    }

    /// Appends bytes, whatever they are.
    pub fn append(&mut self, entry: Vec<u8>) -> LeafIndex {
        self.entries.push(entry);
        LeafIndex::new(self.entries.len() as u64 - 1)
    }

    /// How many entries there are.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.entries.len() as u64)
    }

    /// The tree over all entries.
    pub fn tree(&self) -> MemoryTree {
        self.entries.iter().map(|entry| govlog_formats::merkle::leaf_hash(entry)).collect()
    }

    /// The reader's policy: these witnesses, two of three.
    pub fn policy(&self) -> String {
        let mut text = format!("log {}\n", self.log.vkey());
        for (n, witness) in self.witnesses.iter().enumerate() {
            text.push_str(&format!("witness w{n} {} http://127.0.0.1:1\n", witness.vkey()));
        }
        text + "group two 2 w0 w1 w2\nquorum two\n"
    }

    /// The note of a size, with cosignatures of these witnesses.
    pub fn note_of(&self, size: TreeSize, cosigners: &[usize]) -> Vec<u8> {
        let root = self.tree().root_at(size).unwrap();
        self.sign_note(size, root, cosigners)
    }

    /// The note of any size and root, with cosignatures of these witnesses.
    pub fn sign_note(&self, size: TreeSize, root: Digest, cosigners: &[usize]) -> Vec<u8> {
        let text = Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, root).to_string();
        let mut lines = vec![self.log.sign(&text, None).unwrap()];
        for at in cosigners {
            let time = COSIGNED + 100 * (*at as u64 + 1);
            lines.push(self.witnesses[*at].sign(&text, Some(time)).unwrap());
        }
        Note::with_lines(&text, &lines).unwrap().to_bytes()
    }

    /// An inclusion proof.
    pub fn proof(&self, index: LeafIndex, size: TreeSize) -> InclusionProof {
        InclusionProof::build(&self.tree(), index, size).unwrap()
    }

    /// A proof file at the current size, over this note.
    pub fn tlog_proof(&self, index: LeafIndex, note: &[u8]) -> Vec<u8> {
        self.tlog_proof_at(index, self.size(), note)
    }

    /// The same at an earlier size.
    pub fn tlog_proof_at(&self, index: LeafIndex, size: TreeSize, note: &[u8]) -> Vec<u8> {
        let path = self.proof(index, size).path;
        TlogProof { extra: None, index, path, checkpoint: note.to_vec() }.to_bytes()
    }

    /// A receipt for an entry at the current size, over this note.
    pub fn receipt_for(&self, index: LeafIndex, note: &[u8], key: &SigningKey) -> Vec<u8> {
        let statement = SignedStatement::parse(&self.entries[index.get() as usize]).unwrap();
        let claims =
            ReceiptClaims { iss: format!("https://{ORIGIN}"), sub: statement.claims().sub.clone(), iat: 1_700_000_000 };
        let root = self.tree().root();
        SignedRoot::sign(key, &claims, &root).unwrap().receipt(&self.proof(index, self.size()), note).unwrap()
    }

    /// An entry as a transparent statement under this note.
    pub fn transparent(&self, index: LeafIndex, note: &[u8]) -> Vec<u8> {
        let receipt = self.receipt_for(index, note, &self.receipt);
        transparent::assemble(&self.entries[index.get() as usize], &[receipt]).unwrap()
    }

    /// Writes the log's public files into a folder, under this note.
    pub fn write_to(&self, folder: &Path, note: &[u8]) {
        let put = |path: &str, bytes: &[u8]| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        put("checkpoint", note);
        let tree = self.tree();
        for path in tile::hash_tiles(self.size()) {
            let TilePath::Hash { id, width } = path else { unreachable!() };
            let nodes: Vec<_> = (0..width).map(|at| id.node(at as u8)).collect();
            let bytes: Vec<u8> = tree.read_nodes(&nodes).unwrap().iter().flat_map(|hash| *hash.as_bytes()).collect();
            put(&path.to_string(), &bytes);
        }
        for path in tile::entry_bundles(self.size()) {
            let TilePath::Entries { n, width } = path else { unreachable!() };
            let first = (n * tile::WIDTH) as usize;
            let mut bytes = Vec::new();
            for entry in &self.entries[first..first + usize::from(width)] {
                tile::bundle::append(&mut bytes, entry).unwrap();
            }
            put(&path.to_string(), &bytes);
        }
    }
}

/// Signs a statement as [`ISSUER`].
pub fn sign(key: &SigningKey, kind: &str, payload: &[u8], position: Option<StreamPosition>) -> SignedStatement {
    let header = StatementHeader {
        content: Content::Plain(content_type_of(kind)),
        claims: Claims {
            iss: ISSUER.to_owned(),
            sub: "spiffe://prod.example/pay".to_owned(),
            aud: Some(ORIGIN.to_owned()),
            iat: 1_700_000_000,
            stream: position,
            head: None,
        },
    };
    SignedStatement::sign(&header, payload, key).unwrap()
}

/// The payload of a small decision.
pub fn decision(id: &str) -> Vec<u8> {
    let view = serde_json::json!({
        "v": 1, "event_ms": 1_700_000_000_000_u64, "decision_id": id, "result": "permit",
        "subject": { "id": "spiffe://prod.example/pay", "credential": { "type": "x509", "handle": ["cert_s256", "11".repeat(32)] } },
        "action": { "name": "read" }, "resource": { "type": "account", "id": "acct-5" },
    });
    govlog_formats::record::view::from_json("decision", &view).unwrap()
}

/// The payload of a batch of these decisions.
pub fn batch(members: &[Vec<u8>]) -> Vec<u8> {
    let mut tally = Tally::default();
    members.iter().for_each(|member| tally.add(&govlog_formats::member::decision(member).unwrap()));
    let root = govlog_formats::member::tree(members.iter().map(Vec::as_slice)).root();
    let (from_ms, to_ms) = tally.time_ms();
    let fields: [(&str, Value); 7] = [
        ("v", 1.into()),
        ("event_ms", to_ms.unwrap().into()),
        ("count", tally.count().into()),
        ("root", Value::Bytes(root.as_bytes().to_vec())),
        ("from_ms", from_ms.unwrap().into()),
        ("to_ms", to_ms.unwrap().into()),
        ("counts", tally.to_value()),
    ];
    to_deterministic(&Value::Map(fields.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

/// The payload of an issuance of the credential that [`decision`] names.
pub fn issuance() -> Vec<u8> {
    let view = serde_json::json!({
        "v": 1, "event_ms": 1_700_000_000_000_u64, "stage": "issued", "credential_type": "x509",
        "subject": "spiffe://prod.example/pay", "handles": { "cert_s256": "11".repeat(32) },
    });
    govlog_formats::record::view::from_json("issuance", &view).unwrap()
}

fn signer(name: &str, algorithm: SignatureAlgorithm, byte: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), algorithm, &[byte; 32]).unwrap()
}

/// Numbers that look random and follow from a seed, which is not 0: xorshift64 (G. Marsaglia, Xorshift RNGs, 2003).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Gives the next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Gives a number from 0 to `end` − 1.
    ///
    /// # Panics
    /// When `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }
}
