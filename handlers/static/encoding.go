package static

// codings are the content codings of which a file may have a representation ready,
// beside it on the disk. The first is the file as it is.
var codings = [...]struct {
	name   string // of the coding
	suffix string // of the file
}{
	{"", ""},
	{"zstd", ".zst"},
	{"br", ".br"},
	{"gzip", ".gz"},
}

// negotiate returns the representation that the request prefers: of the codings with
// the highest weight the smallest. The file as it is has the lowest unless the request
// says otherwise, and is what a request gets that accepts nothing there is (RFC 9110,
// section 12.5.3).
func (e *entry) negotiate(accept *field) *representation {
	best, bestWeight := e.forms[0], 0
	if !accept.there {
		return best
	}
	if weight, named := weigh(accept.value, "identity"); named {
		bestWeight = weight
	}
	wildcard, _ := weigh(accept.value, "*")
	for _, form := range e.forms[1:] {
		weight, named := weigh(accept.value, form.coding)
		if !named && form.coding == "gzip" {
			weight, named = weigh(accept.value, "x-gzip") // section 8.4.1.3
		}
		if !named {
			weight = wildcard
		}
		if weight > bestWeight || weight == bestWeight && weight > 0 && form.size < best.size {
			best, bestWeight = form, weight
		}
	}
	return best
}

// prefersJSON reports whether a request would rather have JSON than HTML.
func prefersJSON(accept string) bool {
	json, _ := weigh(accept, "application/json")
	html, named := weigh(accept, "text/html")
	if !named {
		if html, named = weigh(accept, "text/*"); !named {
			html, _ = weigh(accept, "*/*")
		}
	}
	return json > html || json > 0 && json == html && !named
}

// acceptsHTML reports whether a request asks for a page by name, as browsers do that
// go somewhere.
func acceptsHTML(accept string) bool {
	html, _ := weigh(accept, "text/html")
	xhtml, _ := weigh(accept, "application/xhtml+xml")
	return html > 0 || xhtml > 0
}
