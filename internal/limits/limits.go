// Package limits holds the table of limits in the README to the Config structs
// that it is about, for their packages' tests: no field is missing there, no
// default differs, and the field's own documentation names it.
package limits

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Config is a Config struct of a package.
//
// Not safe for concurrent use.
type Config struct {
	// Package is its name, Root the way to the module's folder, Dir the way to
	// the package's; default: the one that is tested.
	Package, Root, Dir string

	// Defaults is the struct with every default filled in.
	Defaults any

	// Derived are limits whose default depends on the machine: they have a line
	// in the table with words of its own.
	Derived []string

	// Others are the fields that limit nothing.
	Others []string
}

// Check checks the table and the fields' documentation.
func Check(t testing.TB, c Config) {
	t.Helper()
	table := read(t, filepath.Join(c.Root, "README.md"))
	docs, general := documented(t, c.Dir)
	fields := reflect.TypeOf(c.Defaults)
	for i := range fields.NumField() {
		field := fields.Field(i)
		if !field.IsExported() || slices.Contains(c.Others, field.Name) {
			continue
		}
		name := c.Package + ".Config." + field.Name
		text, ok := table[name]
		want := Format(field.Name, reflect.ValueOf(c.Defaults).Field(i).Interface())
		switch {
		case !ok:
			t.Errorf("%s is missing in the README's table of limits", name)
		case text != want && !slices.Contains(c.Derived, field.Name):
			t.Errorf("%s: the README says %q, the default is %q", name, text, want)
		}
		doc := docs[field.Name]
		if !regexp.MustCompile(`(?i)default|zero is`).MatchString(doc) {
			t.Errorf("%s: its documentation names no default", name)
		}
		if !regexp.MustCompile(`(?i)negative`).MatchString(doc + general) {
			t.Errorf("%s: its documentation does not say what a negative value means", name)
		}
	}
	for _, name := range append(c.Others, c.Derived...) {
		if _, ok := fields.FieldByName(name); !ok {
			t.Errorf("%s.Config has no field %s", c.Package, name)
		}
	}
	for name := range table {
		if field, ok := strings.CutPrefix(name, c.Package+".Config."); ok {
			if _, ok := fields.FieldByName(field); !ok || slices.Contains(c.Others, field) {
				t.Errorf("the README has a limit %s that does not exist", name)
			}
		}
	}
}

// Format is how the table writes a value: bytes in the largest unit that
// divides them, times likewise, and other numbers with commas.
func Format(field string, value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		if d := value.(time.Duration); d%time.Second != 0 {
			return fmt.Sprint(d.Milliseconds(), " ms")
		}
		return fmt.Sprint(int64(value.(time.Duration)/time.Second), " s")
	case !v.CanInt():
		return fmt.Sprint(value)
	case strings.HasSuffix(field, "Rate"):
		return fmt.Sprint(v.Int(), " B/s")
	case strings.Contains(field, "Bytes") || strings.HasSuffix(field, "Watermark"):
		n := v.Int()
		for _, unit := range []string{"B", "KiB", "MiB"} {
			if n < 1024 || n%1024 != 0 {
				return fmt.Sprint(n, " ", unit)
			}
			n /= 1024
		}
		return fmt.Sprint(n, " GiB")
	}
	digits := strconv.FormatInt(v.Int(), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

var fieldName = regexp.MustCompile("`([a-z0-9]+\\.Config\\.[A-Za-z]+)`")

// read returns the text of the defaults in the table: of a line with several
// fields, each has the same.
func read(t testing.TB, path string) map[string]string {
	t.Helper()
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for line := range strings.Lines(string(readme)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 { // an empty one at either end
			continue
		}
		for _, m := range fieldName.FindAllStringSubmatch(cells[4], -1) {
			if _, ok := table[m[1]]; ok {
				t.Errorf("the README has two lines for %s", m[1])
			}
			table[m[1]] = strings.TrimSpace(cells[2])
		}
	}
	if len(table) == 0 {
		t.Fatalf("%s has no table of limits", path)
	}
	return table
}

// documented returns the documentation of the fields of the package's Config,
// and that of the whole.
func documented(t testing.TB, dir string) (fields map[string]string, general string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fields = map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			decl, ok := decl.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			for _, spec := range decl.Specs {
				spec := spec.(*ast.TypeSpec)
				body, ok := spec.Type.(*ast.StructType)
				if !ok || spec.Name.Name != "Config" {
					continue
				}
				general = decl.Doc.Text()
				doc := ""
				for _, field := range body.Fields.List {
					if field.Doc != nil { // else one comment is about several fields
						doc = field.Doc.Text()
					}
					for _, name := range field.Names {
						fields[name.Name] = doc
					}
				}
			}
		}
	}
	return fields, general
}

// Names returns the fields in the table that belong to these packages.
func Names(t testing.TB, root string, packages ...string) []string {
	t.Helper()
	var names []string
	for name := range read(t, filepath.Join(root, "README.md")) {
		if pkg, _, _ := strings.Cut(name, "."); slices.Contains(packages, pkg) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
