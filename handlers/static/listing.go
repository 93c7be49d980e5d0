package static

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gale-server/gale/asgi"
)

// listed folders are sent as HTML, or as JSON of this form.
type listingJSON struct {
	Entries   []listingEntry `json:"entries"`
	Truncated bool           `json:"truncated"` // there are more
}

type listingEntry struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"` // "file" or "directory"
	Size     int64     `json:"size,omitempty"`
	Modified time.Time `json:"modified"`
}

const (
	typeFile      = "file"
	typeDirectory = "directory"
)

// listingPolicy lets a page of names do nothing at all.
var listingPolicy = asgi.Header{Name: "content-security-policy", Value: "default-src 'none'; frame-ancestors 'self'"}

// list makes the entry of a folder that is listed.
func (h *Handler) list(key, name string) (*entry, error) {
	l, err := h.readFolder(name)
	if err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	e := newEntry(key, listing)
	for _, form := range []*representation{
		{contentType: htmlType, data: l.html(key)},
		{contentType: jsonType, data: append(asJSON, '\n')},
	} {
		form.size = int64(len(form.data))
		form.etag = contentTag(form.data)
		form.vary = "accept"
		form.common = []asgi.Header{listingPolicy}
		form.prepare("no-cache", false, h.config.Headers)
		e.add(form)
	}
	return e, nil
}

// readFolder reads the names of a folder that can be asked for, folders first, each in
// order. Of a folder with more than MaxEntries it has some.
func (h *Handler) readFolder(name string) (*listingJSON, error) {
	dir, err := h.tree.open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	reader, ok := dir.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errIrregular}
	}
	l := &listingJSON{Entries: []listingEntry{}}
	for {
		batch, err := reader.ReadDir(256)
		for _, one := range batch {
			entry, ok := h.describe(name, one.Name())
			if ok && len(l.Entries) == h.config.MaxEntries {
				l.Truncated, err = true, io.EOF
				break
			}
			if ok {
				l.Entries = append(l.Entries, entry)
			}
		}
		if err == io.EOF || err == nil && len(batch) == 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(l.Entries, func(a, b listingEntry) int {
		if a.Type != b.Type {
			return strings.Compare(a.Type, b.Type) // directories first
		}
		return strings.Compare(a.Name, b.Name)
	})
	return l, nil
}

// describe returns the line of a name, unless a request for it would find nothing: a
// hidden file, a device, a link that leads out of the root, a name that no path of
// UTF-8 has.
func (h *Handler) describe(dir, name string) (listingEntry, bool) {
	if name[0] == '.' && !h.config.DotFiles || !utf8.ValidString(name) {
		return listingEntry{}, false
	}
	at, err := h.tree.stat(path.Join(dir, name))
	if err != nil {
		return listingEntry{}, false
	}
	entry := listingEntry{Name: name, Type: typeFile, Size: at.size, Modified: at.time().Truncate(time.Second)}
	if at.folder {
		entry.Type, entry.Size = typeDirectory, 0
	}
	return entry, at.folder || at.regular
}

// html writes the listing as a page. Every name is escaped as text; in a link it is a
// relative reference that begins with "./", so that no part of it is taken for a
// scheme or a host (RFC 3986, section 4.2).
func (l *listingJSON) html(key string) []byte {
	var page bytes.Buffer
	title := html.EscapeString(strings.ToValidUTF8(key, "\uFFFD"))
	fmt.Fprintf(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<h1>%s</h1>\n<table>\n", title, title)
	page.WriteString("<tr><th align=\"left\">Name<th align=\"left\">Modified (UTC)<th align=\"right\">Bytes\n")
	if key != "/" {
		page.WriteString("<tr><td><a href=\"../\">../</a><td><td>\n")
	}
	for _, e := range l.Entries {
		slash, size := "", fmt.Sprint(e.Size)
		if e.Type == typeDirectory {
			slash, size = "/", ""
		}
		fmt.Fprintf(&page, "<tr><td><a href=\"./%s%s\">%s%s</a><td>%s<td align=\"right\">%s\n",
			html.EscapeString(url.PathEscape(e.Name)), slash, html.EscapeString(e.Name), slash,
			e.Modified.Format(time.DateTime), size)
	}
	page.WriteString("</table>\n")
	if l.Truncated {
		fmt.Fprintf(&page, "<p>There are more than these %d.\n", len(l.Entries))
	}
	page.WriteString("</html>\n")
	return page.Bytes()
}
