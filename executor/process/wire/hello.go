package wire

// HostHello is what the host says first, as JSON. A worker ignores fields that
// it does not know.
type HostHello struct {
	Protocol int `json:"protocol"`
	// MaxPayloadBytes bounds the payload of a job and of its result.
	MaxPayloadBytes int64 `json:"max_payload_bytes"`
	// InlineBytes is how long a payload may be before it should go through
	// memory, where there is memory.
	InlineBytes int64 `json:"inline_bytes"`
	// Memory names the descriptors of the shared memory that the worker
	// inherited; nil if it has none.
	Memory *Memory `json:"memory,omitempty"`
	// MemoryLimitBytes is what the worker's jobs may allocate, as a hint for
	// its garbage collector; 0 is no limit.
	MemoryLimitBytes int64 `json:"memory_limit_bytes,omitempty"`
	// Nice is the niceness the host has given the worker.
	Nice int `json:"nice,omitempty"`
}

// Memory is a pair of files of Bytes bytes each, whose size is sealed: the host
// writes a job's payload at the start of Input, the worker a result's at the
// start of Output.
type Memory struct {
	Input  int   `json:"input_fd"`
	Output int   `json:"output_fd"`
	Bytes  int64 `json:"bytes"`
}

// WorkerHello is what the worker answers once it is ready, as JSON.
type WorkerHello struct {
	Protocol int `json:"protocol"`
	// Jobs are the names of the jobs it can run.
	Jobs []string `json:"jobs"`
	// Registry is a digest of names and types of the jobs, or empty.
	Registry string `json:"registry,omitempty"`
	// Program says what the worker is, for people.
	Program string `json:"program,omitempty"`
	// Memory says that the worker can use the memory of the host's hello.
	Memory bool `json:"memory,omitempty"`
}

// Failure is the body of an Error frame, as JSON.
type Failure struct {
	Kind    FailureKind `json:"kind"`
	Message string      `json:"message"`
	Stack   string      `json:"stack,omitempty"` // where it happened, for people
}

// FailureKind says why a job gave no result.
type FailureKind string

// The kinds. An unknown one counts as Failed.
const (
	Failed   FailureKind = "error"       // the job returned an error
	Panicked FailureKind = "panic"       // the job panicked, or raised what it did not mean to
	Canceled FailureKind = "canceled"    // the job ended because it was canceled
	NoMemory FailureKind = "memory"      // the job could not get the memory it wanted
	Unknown  FailureKind = "unknown_job" // there is no job of that name
	BadInput FailureKind = "bad_input"   // the payload is not what the job takes
)
