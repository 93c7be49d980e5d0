package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/urfave/cli/v3"
)

// bindFlags say where to listen in the words of other servers, beside --addr.
type bindFlags struct {
	host setting[string]
	port setting[int]
	uds  setting[string]
	fd   setting[int]
}

func newBindFlags() *bindFlags {
	return &bindFlags{
		host: setting[string]{name: "host", usage: "listen on this `HOST` or address; 0.0.0.0 or :: is every address", parse: asIs},
		port: setting[int]{name: "port", usage: "listen on this `PORT`; 0 takes any that is free", parse: parsePort},
		uds:  setting[string]{name: "uds", usage: "listen on the Unix socket `PATH`", parse: asIs},
		fd:   setting[int]{name: "fd", usage: "listen on the socket that was inherited as descriptor `NUMBER`, from systemd for example", parse: parseDescriptor},
	}
}

func (b *bindFlags) flags() []cli.Flag {
	return []cli.Flag{b.host.flag(), b.port.flag(), b.uds.flag(), b.fd.flag()}
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("%q: a port is a number from 0 to 65535", s)
	}
	return n, nil
}

func parseDescriptor(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<20 {
		return 0, fmt.Errorf("%q is no descriptor", s)
	}
	return n, nil
}

// wayToBind is one way to say where to listen.
type wayToBind struct {
	flags   []given
	address func() (string, error)
}

// given is a flag, of whatever type.
type given interface {
	given(c *cli.Command, inEnvironment bool) bool
	flagName() string
}

// settle puts what was said of the place to listen into addr. One way to say it may
// be used on the command line, or, if none is there, in the environment.
func (b *bindFlags) settle(c *cli.Command, addr *setting[address]) error {
	ways := []wayToBind{
		{[]given{addr}, func() (string, error) { return addr.value, nil }},
		{[]given{&b.host, &b.port}, func() (string, error) { return b.hostAndPort(c, addr.preset) }},
		{[]given{&b.uds}, func() (string, error) { return "unix:" + b.uds.value, nil }},
		{[]given{&b.fd}, func() (string, error) { _, err := b.fd.get(); return "fd:" + b.fd.value, err }},
	}
	for _, inEnvironment := range []bool{false, true} {
		var used []wayToBind
		var name []string
		for _, way := range ways {
			isGiven := func(flag given) bool { return flag.given(c, inEnvironment) }
			if i := slices.IndexFunc(way.flags, isGiven); i >= 0 {
				used, name = append(used, way), append(name, way.flags[i].flagName())
			}
		}
		if len(used) > 1 {
			return usagef("--%s and --%s both say where to listen: keep one", name[0], name[1])
		}
		if len(used) == 1 {
			var err error
			addr.value, err = used[0].address()
			return err
		}
	}
	return nil
}

// hostAndPort is preset with the host and the port that were given.
func (b *bindFlags) hostAndPort(c *cli.Command, preset string) (string, error) {
	host, port, err := net.SplitHostPort(preset)
	if c.IsSet(b.host.name) {
		host = b.host.value
	}
	if c.IsSet(b.port.name) {
		port = b.port.value
		_, err = b.port.get()
	}
	return net.JoinHostPort(host, port), err
}

// inherited makes a listener of a descriptor. It has one of its own, which children
// do not inherit.
func inherited(fd int) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), "inherited")
	if file == nil {
		return nil, fmt.Errorf("descriptor %d is not open", fd)
	}
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is no socket that listens: %w", fd, err)
	}
	return l, nil
}
