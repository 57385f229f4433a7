package main

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// parties are those whose signatures a note must bear.
type parties struct {
	origin    string
	log       note.Verifier
	witnesses []note.Verifier
}

func (p parties) all() note.Verifiers {
	return note.VerifierList(append([]note.Verifier{p.log}, p.witnesses...)...)
}

// readPolicy takes the keys from a tlog-policy file: "log <vkey>", "witness <name> <vkey> [url]".
func readPolicy(path string) parties {
	var found parties
	for _, line := range strings.Split(string(must(os.ReadFile(path))), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) >= 2 && words[0] == "log":
			found.log = must(note.NewVerifier(words[1]))
			found.origin = found.log.Name()
		case len(words) >= 3 && words[0] == "witness":
			found.witnesses = append(found.witnesses, cosigner(words[2]))
		}
	}
	if found.log == nil || len(found.witnesses) == 0 {
		fail("%s names no log or no witness", path)
	}
	return found
}

// public is a key that cannot sign: torchwood makes verifiers of cosignatures from signers alone.
type public ed25519.PublicKey

func (p public) Public() crypto.PublicKey { return ed25519.PublicKey(p) }
func (p public) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("there is no private key")
}

// cosigner reads the vkey of a witness; what torchwood writes for it must be the same text, key ID included.
func cosigner(vkey string) note.Verifier {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		fail("%q is no vkey", vkey)
	}
	key := must(base64.StdEncoding.DecodeString(parts[2]))
	if len(key) != 33 || key[0] != 4 {
		fail("%q is no key for timestamped cosignatures", vkey)
	}
	verifier := must(torchwood.NewCosignatureSigner(parts[0], public(key[1:]))).Verifier()
	if verifier.String() != vkey {
		fail("torchwood writes %q for %q", verifier, vkey)
	}
	return verifier
}

// open accepts a note that the log and at least two witnesses have signed, and reads its checkpoint.
func open(text []byte, parties parties) torchwood.Checkpoint {
	opened := must(note.Open(text, parties.all()))
	signed := map[string]bool{}
	for _, signature := range opened.Sigs {
		signed[signature.Name] = true
		if signature.Name != parties.log.Name() && must(torchwood.CosignatureTimestamp(signature)) == 0 {
			fail("%s cosigned at no time", signature.Name)
		}
	}
	if !signed[parties.log.Name()] || len(signed) < 3 {
		fail("signed by %v only", signed)
	}
	checkpoint := must(torchwood.ParseCheckpoint(opened.Text))
	if checkpoint.Origin != parties.origin || checkpoint.String() != opened.Text {
		fail("a checkpoint of %q", checkpoint.Origin)
	}
	return checkpoint
}

// accepts says whether every line of a spoilt note is still good, and its text the same.
func accepts(text []byte, lines int, parties parties) bool {
	opened, err := note.Open(text, parties.all())
	if err != nil || len(opened.Sigs) != lines {
		return false
	}
	_, err = torchwood.ParseCheckpoint(opened.Text)
	return err == nil
}

// refuseNotes spoils each byte of the note in turn: nothing of it can be another, but for the bits that spareBits is about.
func refuseNotes(text []byte, parties parties) {
	lines := len(must(note.Open(text, parties.all())).Sigs)
	for at := range text {
		spoilt := bytes.Clone(text)
		spoilt[at] ^= 1
		if text[min(at+1, len(text)-1)] == '=' {
			// Of the character before the padding only the highest bits count: it becomes no base64 at all.
			spoilt[at] = '!'
		}
		if accepts(spoilt, lines, parties) {
			fail("byte %d of the note can be another: %q", at, spoilt)
		}
	}
	fmt.Printf("mutated    %d notes refused\n", len(text))
}

// spareBits spells the last signature of a note in another way: the character before the padding of base64 has bits that stand for
// nothing, which Go does not look at.
func spareBits(text []byte) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	other := bytes.Clone(text)
	at := bytes.LastIndexByte(bytes.TrimRight(other, "=\n"), other[len(bytes.TrimRight(other, "=\n"))-1])
	other[at] = alphabet[strings.IndexByte(alphabet, other[at])+1]
	return other
}
