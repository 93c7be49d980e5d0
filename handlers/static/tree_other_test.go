//go:build !linux

package static

// Portable is for systems that have another way to open files.
func Portable(h *Handler) *Handler { return h }
