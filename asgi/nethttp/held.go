package nethttp

import (
	"fmt"
	"runtime"
	"strings"
)

// maxStacks bounds what is looked through for the stack of a handler that blocks,
// in bytes.
const maxStacks = 4 << 20

// held names the function in which a handler blocks the loop of an exchange that
// is still open after it was cut off; "" if there is none, or it is not found.
func (h *Handler) held() string {
	h.mu.Lock()
	var owners []uint64
	for x := range h.open {
		if id := x.owner.Load(); id != 0 {
			owners = append(owners, id)
		}
	}
	h.mu.Unlock()
	if len(owners) == 0 {
		return ""
	}
	p := make([]byte, maxStacks)
	for stack := range strings.SplitSeq(string(p[:runtime.Stack(p, true)]), "\n\n") {
		for _, id := range owners {
			if strings.HasPrefix(stack, fmt.Sprintf("goroutine %d [", id)) {
				return innermost(stack)
			}
		}
	}
	return ""
}

// innermost returns the innermost function of a stack that is not of Go's runtime,
// and its place. Functions and places take a line each.
func innermost(stack string) string {
	lines := strings.Split(stack, "\n")
	for i := 1; i+1 < len(lines); i += 2 {
		function := lines[i]
		if at := strings.LastIndexByte(function, '('); at > 0 {
			function = function[:at]
		}
		root, _, _ := strings.Cut(function, "/")
		switch root, _, _ = strings.Cut(root, "."); root {
		case "runtime", "internal", "sync", "syscall", "time", "iter":
		default:
			place, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
			return function + " (" + place + ")"
		}
	}
	return "a handler"
}
