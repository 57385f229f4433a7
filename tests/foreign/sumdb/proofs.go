package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proof is a file of C2SP tlog-proof: for that format no library of Go's is published yet, so its lines are taken apart here, and judged
// by sumdb.
type proof struct {
	index int64
	path  tlog.RecordProof
	note  []byte
}

func readProof(file []byte) (proof, error) {
	head, note, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return proof{}, fmt.Errorf("no proof file")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	read := proof{index: index, note: note}
	for _, line := range lines[2:] {
		hash, problem := tlog.ParseHash(line)
		if problem != nil {
			return proof{}, problem
		}
		read.path = append(read.path, hash)
	}
	return read, err
}

// checkProofFiles judges entries by the proofs in a folder, and by spoilt ones, which must be refused.
func (t *tree) checkProofFiles(folder, mutated string, parties parties) {
	files := must(filepath.Glob(filepath.Join(folder, "*.tlog-proof")))
	if len(files) == 0 {
		fail("%s holds no proof", folder)
	}
	refused := 0
	keep := func(name, what string, file, statement []byte) {
		target := filepath.Join(mutated, name+"-"+strings.ReplaceAll(what, " ", "-"))
		must(0, os.WriteFile(target+".tlog-proof", file, 0o644))
		must(0, os.WriteFile(target+".cose", statement, 0o644))
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".tlog-proof")
		good := must(os.ReadFile(path))
		statement := must(os.ReadFile(filepath.Join(folder, name+".cose")))
		read := must(readProof(good))
		entry, lines := t.entries[read.index], len(must(note.Open(read.note, parties.all())).Sigs)
		must(0, judge(good, entry, lines, parties))
		for what, spoilt := range spoil(good) {
			if judge(spoilt, entry, lines, parties) == nil {
				fail("%s: as good with %s", path, what)
			}
			keep(name, what, spoilt, statement)
			refused++
		}
		// What Go takes and we do not.
		must(0, judge(spareBits(good), entry, lines, parties))
		keep(name, "spare bits", spareBits(good), statement)
	}
	fmt.Printf("proofs     %d files accepted, %d spoilt ones refused\n", len(files), refused)
}

// judge accepts a proof of an entry under a note of which every line is good.
func judge(file, entry []byte, lines int, parties parties) error {
	read, err := readProof(file)
	if err != nil {
		return err
	}
	if !accepts(read.note, lines, parties) {
		return fmt.Errorf("its note is refused")
	}
	checkpoint := open(read.note, parties)
	return tlog.CheckRecord(read.path, checkpoint.N, checkpoint.Hash, read.index, tlog.RecordHash(entry))
}

// spoil gives variants of a proof file, each wrong in one thing.
func spoil(good []byte) map[string][]byte {
	read := must(readProof(good))
	replaced := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	variants := map[string][]byte{
		"another index": replaced(fmt.Sprintf("index %d\n", read.index), fmt.Sprintf("index %d\n", read.index+1)),
		"no note":       good[:bytes.Index(good, []byte("\n\n"))+2],
	}
	for level, hash := range read.path {
		other := hash
		other[0] ^= 1
		variants[fmt.Sprintf("another hash %d", level)] = replaced(hash.String(), other.String())
	}
	// In the note: its size, and each signature.
	lines := strings.Split(string(read.note), "\n")
	variants["another size"] = replaced("\n"+lines[1]+"\n", "\n"+lines[1]+"0\n")
	for at, line := range lines {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "—" {
			signature := must(base64.StdEncoding.DecodeString(words[2]))
			signature[len(signature)-1] ^= 1
			variants[fmt.Sprintf("another signature %d", at)] = replaced(words[2], base64.StdEncoding.EncodeToString(signature))
		}
	}
	return variants
}
