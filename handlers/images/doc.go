// Package images makes thumbnails and other versions of pictures that strangers
// send: it turns them upright, crops, rotates, scales and converts them.
//
// [Inspect] says in microseconds what a file is and what it would cost,
// [Request.Plan] what would become of it, and [Transform] does it:
//
//	info, err := images.Inspect(data, limits)    // 413, 415 or 422, before anything is queued
//	plan, err := request.Plan(info, limits)      // 400
//	result, err := images.Transform(ctx, data, request, limits, nil)
//
// # What this package is not
//
// It knows no executor and no HTTP: Transform holds one core until it is done,
// and is run as a job of an executor's cpu class, or in a process of its own. It
// is no image library either: the decoders and encoders are Go's and those of
// golang.org/x/image.
//
// # Protection
//
// A file of some hundred bytes may stand for gigabytes of pixels. Each check comes
// before what it protects from, in this order:
//
//  1. the bytes of the file (413);
//  2. the format, told by the first bytes and by nothing else (415);
//  3. the sides and the pixels that the header announces (422);
//  4. the memory that decoding takes, as the headers tell: [Info].Cost, by which
//     a queue should weigh the job (422);
//  5. the scans of a JPEG, the frames of an animation and their pixels (422);
//  6. the file's length: no 100 bytes hold a million pixels (422);
//  7. the sides and pixels of the result (400);
//  8. while it works: the deadline of the context, and the result's bytes.
//
// Up to the seventh nothing is decoded and some KiB are allocated. A decoder that
// panics costs the picture, not the process. What a context cannot end is the
// decoding of a WebP, some seconds for the largest; where even that, or a fault in a
// decoder, must not be felt, run Transform in a process class with its limits.
//
// # What comes in and goes out
//
// JPEG (baseline and progressive; grey, YCbCr, RGB and CMYK), PNG of any kind, GIF
// and WebP (lossy, lossless, with alpha) come in; JPEG, PNG and GIF go out. Of an
// animated GIF or PNG the first frame is taken, which is what a thumbnail shows;
// an animated WebP is refused (415). The result has 8 bits a channel and none of
// the metadata that came with the picture: no place, no name, no colour profile.
// Colours are taken for sRGB.
//
// # Concurrency
//
// Everything here is safe for concurrent use. Nothing is kept between calls, and
// no goroutine is started.
//
// # Terminology
//
//   - stored, upright: the picture as it lies in the file, and as its EXIF
//     orientation says it is to be seen
//   - cost: the memory in bytes that a job holds at its peak, estimated
//   - fault: who broke which rule; see [Error]
//
// # Specifications
//
//   - JPEG: https://www.w3.org/Graphics/JPEG/itu-t81.pdf
//   - PNG: https://www.w3.org/TR/png-3/
//   - GIF: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
//   - WebP: https://www.rfc-editor.org/rfc/rfc9649
//   - EXIF: https://www.cipa.jp/std/documents/e/DC-X008-Translation-2023-E.pdf
package images
