// Command mutants breaks the code in small ways, one at a time, in a copy, and
// runs the tests of the package: each must fail. It shows that the tests can.
//
//	go run .ci/mutants/main.go [-n 30] [word]
//
// With a word, only mutants whose line has it are tried; with -n, so many, chosen
// anew each time: all of them take a quarter of an hour.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed mutants.txt
var list string

// mutant is one line of mutants.txt: package, file, what is there, what replaces
// it, separated by " | ".
type mutant struct{ pkg, file, old, new string }

func parse(list string) (mutants []mutant) {
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 4 {
			log.Fatalf("mutants.txt: not four fields: %s", line)
		}
		mutants = append(mutants, mutant{f[0], f[1], f[2], f[3]})
	}
	return mutants
}

// choose returns n of the mutants that have the word, in the list's order. What
// the others replace must be there, too.
func choose(all []mutant, word string, n int) (chosen []mutant) {
	for _, m := range all {
		if strings.Contains(fmt.Sprint(m), word) {
			chosen = append(chosen, m)
		} else if why := m.unfit("."); why != "" {
			log.Fatalf("%s: %v", why, m)
		}
	}
	for n > 0 && len(chosen) > n {
		i := rand.IntN(len(chosen))
		if why := chosen[i].unfit("."); why != "" {
			log.Fatalf("%s: %v", why, chosen[i])
		}
		chosen = slices.Delete(chosen, i, i+1)
	}
	return chosen
}

// unfit says why m cannot be tried.
func (m mutant) unfit(dir string) string {
	original, err := os.ReadFile(filepath.Join(dir, m.pkg, m.file))
	switch {
	case err != nil:
		return "missing"
	case bytes.Count(original, []byte(m.old)) != 1:
		return "ambiguous"
	}
	return ""
}

func main() {
	log.SetFlags(0)
	n := flag.Int("n", 0, "try only so `many`; 0 is all")
	flag.Parse()
	chosen := choose(parse(list), flag.Arg(0), *n)
	dir, err := os.MkdirTemp("", "gale-mutants-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("sh", "-c", "git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "+dir).CombinedOutput(); err != nil {
		log.Fatalf("copy: %v\n%s", err, out)
	}
	caught, survived := 0, 0
	sound := map[string]time.Duration{} // packages whose tests pass as they are, and how long they take
	for _, m := range chosen {
		began := time.Now()
		if sound[m.pkg] == 0 {
			if !m.passes(dir, "test", "-count=1") {
				os.RemoveAll(dir)
				log.Fatalf("the tests of %s fail without a mutant", m.pkg)
			}
			sound[m.pkg] = time.Since(began)
			began = time.Now()
		}
		verdict := m.try(dir, patience+3*sound[m.pkg])
		fmt.Printf("%-9s %5.1fs  %s/%s: %s  ->  %s\n", verdict, time.Since(began).Seconds(), m.pkg, m.file, m.old, m.new)
		if verdict == "caught" {
			caught++
		} else {
			survived++
		}
	}
	fmt.Printf("%d mutants caught, %d not\n", caught, survived)
	if survived > 0 {
		os.RemoveAll(dir)
		os.Exit(1)
	}
}

// patience is how much longer than three times the sound tests a mutant's may take:
// one that hangs is caught, one whose tests are slow is not.
const patience = 20 * time.Second

// try applies m, runs the tests, and puts the file back.
func (m mutant) try(dir string, timeout time.Duration) string {
	if why := m.unfit(dir); why != "" {
		return why
	}
	path := filepath.Join(dir, m.pkg, m.file)
	original, err := os.ReadFile(path)
	if err != nil {
		return "missing"
	}
	defer os.WriteFile(path, original, 0o644)
	if err := os.WriteFile(path, bytes.Replace(original, []byte(m.old), []byte(m.new), 1), 0o644); err != nil {
		return "unwritable"
	}
	if !m.passes(dir, "build") {
		return "no build"
	}
	if m.passes(dir, "test", "-failfast", "-timeout="+timeout.String()) {
		return "SURVIVED"
	}
	return "caught"
}

func (m mutant) passes(dir string, args ...string) bool {
	cmd := exec.Command("go", append(args, "./"+m.pkg)...)
	cmd.Dir = dir
	return cmd.Run() == nil
}
