// Package descriptors says how many connections a process has room for below its
// limit of open files.
//
// Safe for concurrent use.
package descriptors

// most is the number of connections that nobody gets beyond by default.
const most = 1 << 20

// Reserve is the number of descriptors that are kept free for what a process opens
// later, such as files, pipes, its own connections, and those that it refuses: a
// sixteenth of the limit of open files, at least 16 and at most 1024.
func Reserve() int {
	limit, ok := limitOfFiles()
	if !ok {
		return 1024
	}
	return min(1024, max(16, limit/16))
}

// Room is the number of connections for which there is room: the limit of open
// files less what is open but for these conns, and less Reserve. It is at most
// 1,048,576, and zero or less if there is no room.
func Room(conns int) int {
	limit, ok := limitOfFiles()
	if !ok {
		return most
	}
	return min(most, limit-max(0, openFiles(limit)-conns)-Reserve())
}
