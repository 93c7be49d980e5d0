#!/usr/bin/env python3
"""Makes the pictures in this folder, and in golden/ what other software makes of
them. It is run by hand when a picture is added; the tests need its output only.

    apt-get install python3-pil imagemagick libjpeg-turbo-progs
    ./generate.py

golden/NAME.QUERY.png is NAME as Pillow transforms it: turned upright by its EXIF
orientation, converted to RGBA in 8 bits, cropped, rotated and scaled with the
bicubic kernel, which is Catmull-Rom's.
"""
import os
import shutil
import subprocess
import urllib.parse

from PIL import Image, ImageDraw, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
os.chdir(HERE)


def scene(w, h, alpha=False):
    """A picture that looks different from all eight sides."""
    img = Image.new("RGBA", (w, h))
    px = img.load()
    for y in range(h):
        for x in range(w):
            px[x, y] = (255 * x // w, 255 * y // h, 128 + (x * 7 + y * 3) % 64, 255)
    d = ImageDraw.Draw(img)
    d.rectangle([0, 0, w // 5, h // 5], fill=(220, 30, 30, 255))
    d.rectangle([w - w // 6, 0, w, h // 4], fill=(30, 160, 40, 255))
    d.ellipse([w // 3, h // 4, w // 3 * 2, h // 4 * 3], fill=(250, 240, 80, 255), outline=(20, 20, 60, 255), width=3)
    d.line([0, h, w // 2, h // 2], fill=(255, 255, 255, 255), width=4)
    d.polygon([(w - 4, h - 4), (w - w // 3, h - 4), (w - 4, h - h // 3)], fill=(40, 40, 200, 255))
    if alpha:
        mask = Image.linear_gradient("L").resize((w, h))
        ImageDraw.Draw(mask).rectangle([w // 4, h // 2, w // 2, h - 1], fill=0)
        img.putalpha(mask)
        return img
    return img.convert("RGB")


BASE, ALPHA, SMALL = scene(120, 80), scene(120, 80, alpha=True), scene(61, 43)
GREY = BASE.convert("L")


def magick(img, *args):
    img.save("/tmp/generate-in.png")
    convert = "/usr/bin/convert"
    subprocess.run([convert, "/tmp/generate-in.png", *args], check=True)


def jpegs():
    for name, sampling in [("444", "1x1"), ("422", "2x1"), ("420", "2x2"), ("440", "1x2"), ("411", "4x1")]:
        magick(BASE, "-sampling-factor", sampling, "-quality", "90", f"sampling-{name}.jpg")
    magick(SMALL, "-sampling-factor", "2x2", "-quality", "90", "odd-420.jpg")
    BASE.save("progressive.jpg", quality=90, progressive=True)
    BASE.save("progressive-444.jpg", quality=90, progressive=True, subsampling=0)
    GREY.save("grey.jpg", quality=90)
    GREY.save("grey-progressive.jpg", quality=90, progressive=True)
    BASE.convert("CMYK").save("cmyk.jpg", quality=90)
    BASE.save("/tmp/generate-in.ppm")
    for name, option in (("rgb.jpg", ["-rgb"]), ("restarts.jpg", ["-restart", "1"])):
        subprocess.run(["cjpeg", "-quality", "90", *option, "-outfile", name, "/tmp/generate-in.ppm"], check=True)
    Image.new("RGB", (1, 1), (200, 100, 50)).save("one-pixel.jpg", quality=95)


# How a picture must be stored so that the orientation turns it upright.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif():
    for n, how in STORED.items():
        stored = SMALL if how is None else SMALL.transpose(how)
        tags = Image.Exif()
        tags.endian = "<" if n % 2 else ">"
        tags[0x010E] = "a description before the orientation"
        tags[0x0112] = n
        tags[0x0132] = "2026:01:01 00:00:00"
        stored.save(f"exif-{n}.jpg", quality=92, exif=tags)
        if n == 6:
            stored.save("exif-6.png", exif=tags)
            stored.save("exif-6.webp", lossless=True, exif=tags)
        if n == 8:
            stored.save("exif-8.webp", quality=90, exif=tags)


def pngs():
    magick(BASE, "-depth", "8", "PNG24:rgb8.png")
    magick(ALPHA, "PNG32:rgba8.png")
    magick(BASE, "-depth", "16", "PNG48:rgb16.png")
    magick(ALPHA, "-depth", "16", "PNG64:rgba16.png")
    GREY.save("grey8.png")
    GREY.convert("1").save("grey1.png")
    for depth in (2, 4):
        magick(GREY, "-colorspace", "Gray", "+dither", "-posterize", str(2**depth), "-depth", str(depth),
               "-define", "png:color-type=0", "-define", f"png:bit-depth={depth}", f"grey{depth}.png")
    magick(GREY, "-colorspace", "Gray", "-depth", "16", "-define", "png:color-type=0",
           "-define", "png:bit-depth=16", "grey16.png")
    ALPHA.convert("LA").save("grey-alpha.png")
    for colours, bits in ((2, 1), (4, 2), (16, 4), (256, 8)):
        BASE.quantize(colours).save(f"palette{bits}.png", bits=bits)
    quantized = BASE.quantize(64)
    quantized.save("palette-transparent.png", transparency=quantized.getpixel((60, 40)))
    BASE.save("rgb-transparent.png", transparency=BASE.getpixel((5, 5)))
    magick(BASE, "-interlace", "PNG", "PNG24:interlaced-rgb.png")
    magick(ALPHA, "-interlace", "PNG", "-depth", "16", "PNG64:interlaced-rgba16.png")
    magick(BASE, "-interlace", "PNG", "PNG8:interlaced-palette.png")
    BASE.save("animated.png", save_all=True, append_images=[BASE.rotate(90), BASE.rotate(180)], duration=100)


def gifs():
    BASE.save("still.gif")
    magick(BASE, "-interlace", "GIF", "interlaced.gif")
    magick(ALPHA, "-channel", "A", "-threshold", "50%", "+channel", "transparent.gif")
    BASE.save("animated.gif", save_all=True, append_images=[BASE.rotate(90), BASE.rotate(180)], duration=100, loop=0)
    magick(SMALL, "-repage", "120x80+30+20", "offset.gif")


def webps():
    BASE.save("lossy.webp", quality=85)
    BASE.save("lossless.webp", lossless=True)
    ALPHA.save("lossy-alpha.webp", quality=85)
    ALPHA.save("lossless-alpha.webp", lossless=True, exact=True)
    BASE.quantize(16).convert("RGB").save("lossless-palette.webp", lossless=True)
    BASE.save("animated.webp", save_all=True, append_images=[BASE.rotate(90)], duration=100)


def large():
    """Pictures that take memory, in few bytes."""
    w, h = 1200, 800
    img = Image.new("RGBA", (w, h), (90, 120, 160, 255))
    d = ImageDraw.Draw(img)
    d.rectangle([0, 0, 500, 200], fill=(200, 40, 40, 255))
    d.ellipse([600, 350, 1100, 750], fill=(240, 230, 90, 0))
    rgb = img.convert("RGB")
    rgb.save("large-progressive.jpg", quality=20, progressive=True)
    rgb.convert("CMYK").save("large-cmyk.jpg", quality=20, optimize=True)
    img.save("large-lossy-alpha.webp", quality=20)
    rgb.save("large-lossless.webp", lossless=True)
    magick(img, "-interlace", "PNG", "-depth", "16", "PNG64:large-interlaced-rgba16.png")
    magick(rgb, "-interlace", "GIF", "large-interlaced.gif")


def upright(name):
    img = ImageOps.exif_transpose(Image.open(name))
    if img.mode in ("I", "I;16"):
        img = img.convert("I").point(lambda v: v / 256).convert("L")
    if img.mode == "CMYK":
        img = img.convert("RGB")
    img = img.convert("RGBA")
    if name == "offset.gif":
        # Where a frame does not reach, browsers show nothing, Pillow a colour.
        screen = Image.new("RGBA", img.size)
        screen.paste(img.crop((30, 20, 91, 63)), (30, 20))
        return screen
    return img


def golden(name, **query):
    img = upright(name)
    if "crop" in query:
        x, y, w, h = query["crop"]
        img = img.crop((x, y, x + w, y + h))
        query["crop"] = f"{x},{y},{w},{h}"
    if "rotate" in query:
        img = img.rotate(-query["rotate"], expand=True)
    w, h, fit = query.get("width", 0), query.get("height", 0), query.get("fit", "contain")
    if fit == "cover":
        img = ImageOps.fit(img, (w, h), Image.Resampling.BICUBIC)
    elif fit == "fill":
        img = img.resize((w, h), Image.Resampling.BICUBIC)
    elif w or h:
        ratio = min(w / img.width if w else 1e9, h / img.height if h else 1e9)
        if query.get("enlarge") != 1:
            ratio = min(ratio, 1)
        size = max(1, round(img.width * ratio)), max(1, round(img.height * ratio))
        if size != img.size:
            img = img.resize(size, Image.Resampling.BICUBIC)
    stem = f"golden/{name}.{urllib.parse.urlencode(query, safe=',')}.png"
    img.save(stem, optimize=True)


def main():
    for name in os.listdir("."):
        if name.rsplit(".")[-1] in ("jpg", "png", "gif", "webp"):
            os.remove(name)
    shutil.rmtree("golden", ignore_errors=True)
    os.mkdir("golden")
    jpegs(), exif(), pngs(), gifs(), webps(), large()
    for name in sorted(os.listdir(".")):
        if name.rsplit(".")[-1] not in ("jpg", "png", "gif", "webp") or name == "animated.webp" or name.startswith("large-"):
            continue
        golden(name, width=48, height=48)
    for name in ("rgb8.png", "exif-6.jpg", "exif-7.jpg", "rgba8.png", "palette8.png", "lossy.webp", "sampling-420.jpg"):
        golden(name)
        golden(name, width=40, height=40, fit="cover")
        golden(name, width=17, height=50, fit="fill")
        golden(name, height=21)
        golden(name, crop=(7, 5, 33, 21), rotate=90, width=16)
        golden(name, crop=(10, 11, 31, 22), rotate=270, width=30, height=9, fit="cover")
        golden(name, rotate=180, width=150, enlarge=1)


main()
