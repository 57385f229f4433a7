// Command sumdb judges a log of ours with the code that Go judges its checksum database with.
//
//	sumdb LOG POLICY ENTRIES MUTATED CUSTODY
//
// LOG is the log's address, POLICY its tlog-policy file, ENTRIES a folder of entries of ours with their proofs (<id>.cose,
// <id>.tlog-proof). What is spoilt here and refused goes to the folder MUTATED, for our own verifier to refuse as well. CUSTODY is a
// custody file of ours, taken apart.
//
// Nothing of ours judges: golang.org/x/mod/sumdb/note opens notes, sumdb/tlog checks records, trees and tiles, and
// filippo.io/torchwood, which the age keyserver and Go's own witness are made with, knows checkpoints, cosignatures and the C2SP
// paths of tiles.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 6 {
		fail("usage: sumdb LOG POLICY ENTRIES MUTATED CUSTODY")
	}
	log, policy, entries, mutated, custody := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	parties := readPolicy(policy)
	note := get(log, "/checkpoint")
	checkpoint := open(note, parties)
	fmt.Printf("note       %d bytes, signed by the log and %d witnesses; size %d\n", len(note), len(parties.witnesses), checkpoint.N)
	refuseNotes(note, parties)

	tree := newTree(log, checkpoint)
	tree.checkRecords()
	tree.checkTrees()
	tree.refuseTiles()
	tree.checkProofFiles(entries, mutated, parties)
	tree.checkCustody(custody, parties)
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "sumdb: FAILED: "+format+"\n", arguments...)
	os.Exit(1)
}

// must ends the program on an error.
func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}
