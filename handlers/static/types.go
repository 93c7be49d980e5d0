package static

import (
	"mime"
	"path"
	"strings"
)

const (
	htmlType  = "text/html; charset=utf-8"
	plainText = "text/plain; charset=utf-8"
	jsonType  = "application/json"
)

// contentTypes are the types of the web, so that they do not depend on the tables of
// the machine.
var contentTypes = map[string]string{
	".7z":          "application/x-7z-compressed",
	".aac":         "audio/aac",
	".apng":        "image/apng",
	".atom":        "application/atom+xml",
	".avif":        "image/avif",
	".bmp":         "image/bmp",
	".br":          "application/octet-stream",
	".bz2":         "application/x-bzip2",
	".c":           plainText,
	".cjs":         "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".epub":        "application/epub+zip",
	".flac":        "audio/flac",
	".gif":         "image/gif",
	".go":          plainText,
	".gz":          "application/gzip",
	".h":           plainText,
	".htm":         htmlType,
	".html":        htmlType,
	".ico":         "image/x-icon",
	".ics":         "text/calendar; charset=utf-8",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        jsonType,
	".jsonld":      "application/ld+json",
	".jxl":         "image/jxl",
	".log":         plainText,
	".m3u8":        "application/vnd.apple.mpegurl",
	".m4a":         "audio/mp4",
	".m4s":         "video/iso.segment",
	".m4v":         "video/mp4",
	".map":         jsonType,
	".md":          "text/markdown; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".mov":         "video/quicktime",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".mpd":         "application/dash+xml",
	".oga":         "audio/ogg",
	".ogg":         "audio/ogg",
	".ogv":         "video/ogg",
	".opus":        "audio/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".rss":         "application/rss+xml",
	".svg":         "image/svg+xml",
	".svgz":        "image/svg+xml",
	".tar":         "application/x-tar",
	".tgz":         "application/gzip",
	".tif":         "image/tiff",
	".tiff":        "image/tiff",
	".ts":          plainText, // browsers do not run it, and elsewhere it is a video
	".ttf":         "font/ttf",
	".txt":         plainText,
	".vtt":         "text/vtt; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".weba":        "audio/webm",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xhtml":       "application/xhtml+xml",
	".xml":         "application/xml",
	".xz":          "application/x-xz",
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".zip":         "application/zip",
	".zst":         "application/zstd",
}

// contentType returns the type of a file by its extension.
func (h *Handler) contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := h.config.Types[ext]; ok {
		return t
	}
	if t, ok := contentTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
