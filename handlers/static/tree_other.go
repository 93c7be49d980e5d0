//go:build !linux

package static

func beneath(t rootTree) tree { return t }
