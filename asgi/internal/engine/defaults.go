package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gale-server/gale/asgi/websocket"
)

// The defaults that engines share. Why each is what it is stands at the field
// of Config that it is the default of.
const (
	HeadTimeout      = 10 * time.Second
	KeepAliveTimeout = 75 * time.Second
	BodyRatePeriod   = 10 * time.Second
	PingInterval     = 25 * time.Second
	PongTimeout      = 20 * time.Second
	CloseTimeout     = 5 * time.Second
	DepartTimeout    = 1 * time.Second
	LifespanTimeout  = 60 * time.Second
	DrainTimeout     = 10 * time.Second
	MinBodyRate      = 240       // bytes per second
	OutboxBytes      = 1 << 20   // bytes
	LingerBytes      = 64 << 20  // bytes
	highWatermark    = 256 << 10 // bytes
)

// HighWatermark is the default for an outbox of that many bytes, of which a
// negative number is boundless: 256 KiB, or a quarter of a smaller outbox.
func HighWatermark(outboxBytes int) int {
	if outboxBytes <= 0 {
		return highWatermark
	}
	return min(outboxBytes/4, highWatermark)
}

// ServerName is the value of the Server header for what a Config says: "gale"
// for nothing, and none, "", for "-".
func ServerName(name string) string {
	switch name {
	case "":
		return "gale"
	case "-":
		return ""
	}
	return name
}

// CheckMount checks the RootPath and the AllowedOrigins of a Config.
func CheckMount(rootPath string, origins []string) error {
	if rootPath != "" && (!strings.HasPrefix(rootPath, "/") || strings.HasSuffix(rootPath, "/")) {
		return errors.New("Config.RootPath must begin with a slash and not end with one")
	}
	if _, err := websocket.NewOrigins(origins); err != nil {
		return fmt.Errorf("Config.AllowedOrigins: %w", err)
	}
	return nil
}
