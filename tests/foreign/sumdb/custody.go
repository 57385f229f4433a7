package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkCustody judges a custody file that was taken apart into a folder: every proof of an entry, of the admission policy's entries too, and
// that its checkpoint continues every earlier note in it. The bodies of `add-checkpoint` requests (C2SP tlog-witness) that say so are taken
// apart here, and judged by sumdb.
func (t *tree) checkCustody(folder string, parties parties) {
	proofs := must(filepath.Glob(filepath.Join(folder, "*", "*.tlog-proof")))
	for _, path := range proofs {
		file := must(os.ReadFile(path))
		read := must(readProof(file))
		lines := len(must(note.Open(read.note, parties.all())).Sigs)
		must(0, judge(file, t.entries[read.index], lines, parties))
	}
	files := must(filepath.Glob(filepath.Join(folder, "proofs", "*.consistency")))
	if len(proofs) == 0 || len(files) == 0 {
		fail("%s holds %d proofs of entries and %d of consistency", folder, len(proofs), len(files))
	}
	refused := 0
	for _, path := range files {
		old, proof, note := readConsistency(must(os.ReadFile(path)))
		before := open(must(os.ReadFile(filepath.Join(folder, "checkpoints", fmt.Sprintf("%d.note", old)))), parties)
		after := open(note, parties)
		must(0, tlog.CheckTree(proof, after.N, after.Hash, before.N, before.Hash))
		for level := range proof {
			spoilt := append(tlog.TreeProof{}, proof...)
			spoilt[level][0] ^= 1
			if tlog.CheckTree(spoilt, after.N, after.Hash, before.N, before.Hash) == nil {
				fail("%s: as good with another path", path)
			}
			refused++
		}
	}
	fmt.Printf("custody    %d proofs of entries and %d of consistency accepted, %d spoilt ones of those refused\n", len(proofs), len(files), refused)
}

func readConsistency(file []byte) (int64, tlog.TreeProof, []byte) {
	head, note, found := bytes.Cut(file, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found {
		fail("no body of add-checkpoint: %q", file)
	}
	old := must(strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64))
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		proof = append(proof, must(tlog.ParseHash(line)))
	}
	return old, proof, note
}
