/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/sniff.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

struct magic {
	size_t at;
	struct bytes bytes;
	const char *type;
};

#define MAGIC(at, bytes, type)                                                                                         \
	{                                                                                                              \
		at, BYTES_INIT(bytes), type                                                                            \
	}

/* The first that fits holds: longer ones before shorter ones with the same beginning. */
static const struct magic table[] = {
	MAGIC(0, "%PDF-", "application/pdf"),
	MAGIC(0, "\xc5\xd0\xd3\xc6", "application/postscript"),
	MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
	MAGIC(0,
	      "\x7f"
	      "ELF",
	      "application/x-executable"),
	MAGIC(0, "\xfe\xed\xfa\xce", "application/x-mach-binary"),
	MAGIC(0, "\xfe\xed\xfa\xcf", "application/x-mach-binary"),
	MAGIC(0, "\xce\xfa\xed\xfe", "application/x-mach-binary"),
	MAGIC(0, "\xcf\xfa\xed\xfe", "application/x-mach-binary"),
	MAGIC(0, "\x1f\x8b", "application/gzip"),
	MAGIC(0, "\x1f\x9d", "application/x-compress"),
	MAGIC(0, "BZh", "application/x-bzip2"),
	MAGIC(0,
	      "\xfd"
	      "7zXZ\0",
	      "application/x-xz"),
	MAGIC(0, "\x28\xb5\x2f\xfd", "application/zstd"),
	MAGIC(0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
	MAGIC(0, "Rar!\x1a\x07", "application/vnd.rar"),
	MAGIC(0, "MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
	MAGIC(0, "ISc(", "application/x-installshield"),
	MAGIC(0, "\x60\xea", "application/x-arj"),
	MAGIC(7, "**ACE**", "application/x-ace-compressed"),
	MAGIC(2, "-lh", "application/x-lzh-compressed"),
	MAGIC(2, "-lz", "application/x-lzh-compressed"),
	MAGIC(0, "LZIP", "application/x-lzip"),
	MAGIC(0, "!<arch>\n", "application/x-archive"),
	MAGIC(0, "xar!", "application/x-xar"),
	MAGIC(257, "ustar", "application/x-tar"),
	MAGIC(0, "\x89PNG\r\n\x1a\n", "image/png"),
	MAGIC(0, "\xff\xd8\xff", "image/jpeg"),
	MAGIC(0, "GIF87a", "image/gif"),
	MAGIC(0, "GIF89a", "image/gif"),
	MAGIC(0, "II*\0", "image/tiff"),
	MAGIC(0, "MM\0*", "image/tiff"),
	MAGIC(0, "\0\0\1\0", "image/vnd.microsoft.icon"),
	MAGIC(0, "8BPS", "image/vnd.adobe.photoshop"),
	MAGIC(0, "\xd7\xcd\xc6\x9a", "image/wmf"),
	MAGIC(0, "ID3", "audio/mpeg"),
	MAGIC(0, "OggS", "audio/ogg"),
	MAGIC(0, "fLaC", "audio/flac"),
	MAGIC(0, "#!AMR", "audio/amr"),
	MAGIC(0, "MThd", "audio/midi"),
	MAGIC(4, "ftyp", "video/mp4"),
	MAGIC(0, "\x1a\x45\xdf\xa3", "video/x-matroska"),
	MAGIC(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
	MAGIC(0, "FWS", "application/x-shockwave-flash"),
	MAGIC(0, "CWS", "application/x-shockwave-flash"),
	MAGIC(0, "ZWS", "application/x-shockwave-flash"),
	MAGIC(0, "ITSF", "application/vnd.ms-htmlhelp"),
	MAGIC(0, "L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F", "application/x-ms-shortcut"),
	MAGIC(0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", "application/onenote"),
	MAGIC(0, "\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
	MAGIC(0, "vhdxfile", "application/x-vhdx"),
	MAGIC(0, "conectix", "application/x-vhd"),
	MAGIC(0, "KDMV", "application/x-vmdk"),
	MAGIC(0, "QFI\xfb", "application/x-qemu-disk"),
	MAGIC(0, "SQLite format 3\0", "application/vnd.sqlite3"),
	MAGIC(0, "\0asm", "application/wasm"),
	MAGIC(0, "wOF2", "font/woff2"),
	MAGIC(0, "!BDN", "application/vnd.ms-outlook-pst"),
	MAGIC(32769, "CD001", "application/x-iso9660-image"),
};

/* Text types, by the first word behind blanks and a byte order mark; any case. */
static const struct magic text_table[] = {
	MAGIC(0, "%!ps", "application/postscript"),
	MAGIC(0, "{\\rt", "application/rtf"),
	MAGIC(0, "<!doctype html", "text/html"),
	MAGIC(0, "<!doctype svg", "image/svg+xml"),
	MAGIC(0, "<html", "text/html"),
	MAGIC(0, "<head", "text/html"),
	MAGIC(0, "<body", "text/html"),
	MAGIC(0, "<script", "text/html"),
	MAGIC(0, "<meta ", "text/html"),
	MAGIC(0, "<svg", "image/svg+xml"),
	MAGIC(0, "<?xml", "application/xml"),
	MAGIC(0, "<?php", "application/x-php"),
	MAGIC(0, "<hta:", "application/hta"),
	MAGIC(0, "<job", "text/x-wsf"),
	MAGIC(0, "#!", "text/x-shellscript"),
	MAGIC(0, "begin:vcalendar", "text/calendar"),
	MAGIC(0, "begin:vcard", "text/vcard"),
	MAGIC(0, "regedit4", "text/x-ms-regedit"),
	MAGIC(0, "windows registry editor", "text/x-ms-regedit"),
	MAGIC(0, "[internetshortcut]", "application/x-mswinurl"),
	MAGIC(0, "@echo off", "application/x-bat"),
	MAGIC(0, "-----begin pgp ", "application/pgp-encrypted"),
	MAGIC(0, "return-path: ", "message/rfc822"),
	MAGIC(0, "received: ", "message/rfc822"),
	MAGIC(0, "mime-version: ", "message/rfc822"),
};

static uint32_t le32(struct bytes in, size_t at)
{
	return at + 4 > in.len ? 0
			       : in.ptr[at] | (uint32_t)in.ptr[at + 1] << 8 | (uint32_t)in.ptr[at + 2] << 16 |
					 (uint32_t)in.ptr[at + 3] << 24;
}

static uint32_t le16(struct bytes in, size_t at)
{
	return at + 2 > in.len ? 0 : in.ptr[at] | (uint32_t)in.ptr[at + 1] << 8;
}

static bool has_at(struct bytes in, size_t at, struct bytes what)
{
	return in.len >= at && bytes_starts(bytes_from(in, at), what);
}

/* What the name of an entry says about the zip it is in. */
static const char *zip_entry(struct bytes name)
{
	static const struct {
		struct bytes prefix;
		const char *type;
	} kinds[] = {
		{BYTES_INIT("word/"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{BYTES_INIT("xl/"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{BYTES_INIT("ppt/"), "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
		{BYTES_INIT("visio/"), "application/vnd.ms-visio.drawing"},
		{BYTES_INIT("AndroidManifest.xml"), "application/vnd.android.package-archive"},
		{BYTES_INIT("META-INF/MANIFEST.MF"), "application/java-archive"},
	};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (bytes_starts(name, kinds[i].prefix))
			return kinds[i].type;
	return NULL;
}

/* The stored "mimetype" entry of OpenDocument and EPUB (ODF 1.2 part 3, 3.3). */
static const char *zip_mimetype(struct bytes value)
{
	static const char *const types[] = {
		"application/vnd.oasis.opendocument.text",
		"application/vnd.oasis.opendocument.spreadsheet",
		"application/vnd.oasis.opendocument.presentation",
		"application/vnd.oasis.opendocument.graphics",
		"application/epub+zip",
	};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (bytes_starts(value, bytes_from_cstr(types[i])))
			return types[i];
	return NULL;
}

/* The central directory, found by its end record in the last 64 KiB; BYTES_NONE when there is none. */
static size_t central_directory(struct bytes in)
{
	size_t stop = in.len > 65557 ? in.len - 65557 : 0;
	for (size_t at = in.len; at-- > stop;)
		if (in.ptr[at] == 'P' && has_at(in, at, BYTES_LIT("PK\5\6")))
			return le32(in, at + 16);
	return BYTES_NONE;
}

/*
 * A zip is what its entries are. Local headers are followed while their sizes are told, then the central directory is
 * walked, as readers do; bit 0 of the flags of any entry means that it is encrypted (APPNOTE 4.4.4).
 */
static struct sniff sniff_zip(struct bytes in)
{
	struct sniff sniff = {.type = "application/zip", .encrypted = SNIFF_PLAIN};
	const char *type = NULL;
	for (size_t at = 0, n = 0; n < SNIFF_ENTRIES && has_at(in, at, BYTES_LIT("PK\3\4")); n++) {
		uint32_t flags = le16(in, at + 6);
		size_t name_len = le16(in, at + 26), data = at + 30 + name_len + le16(in, at + 28);
		struct bytes name = bytes_sub(in, at + 30, name_len);
		if (flags & 1)
			sniff.encrypted = SNIFF_ENCRYPTED;
		if (n == 0 && bytes_eq(name, BYTES_LIT("mimetype")))
			type = zip_mimetype(bytes_from(in, data));
		if (!type)
			type = zip_entry(name);
		if (flags & 8) /* sizes follow the data */
			break;
		at = data + le32(in, at + 18);
	}
	size_t at = central_directory(in);
	for (size_t n = 0; at != BYTES_NONE && n < SNIFF_ENTRIES && has_at(in, at, BYTES_LIT("PK\1\2")); n++) {
		if (le16(in, at + 8) & 1)
			sniff.encrypted = SNIFF_ENCRYPTED;
		size_t name_len = le16(in, at + 28);
		if (!type)
			type = zip_entry(bytes_sub(in, at + 46, name_len));
		at += 46 + name_len + le16(in, at + 30) + le16(in, at + 32);
	}
	if (type)
		sniff.type = type;
	return sniff;
}

/* An MZ file: with a PE header it is one of Windows, else one of DOS. */
static const char *sniff_mz(struct bytes in)
{
	return has_at(in, le32(in, 0x3c), BYTES_LIT("PE\0\0")) ? "application/vnd.microsoft.portable-executable"
							       : "application/x-dosexec";
}

static const char *sniff_riff(struct bytes in)
{
	if (has_at(in, 8, BYTES_LIT("WEBP")))
		return "image/webp";
	if (has_at(in, 8, BYTES_LIT("WAVE")))
		return "audio/wav";
	if (has_at(in, 8, BYTES_LIT("AVI ")))
		return "video/x-msvideo";
	return has_at(in, 8, BYTES_LIT("ACON")) ? "application/x-navi-animation" : NULL;
}

static bool has_controls(struct bytes head)
{
	for (size_t i = 0; i < head.len; i++) {
		uint8_t c = head.ptr[i];
		if (c < ' ' && !ascii_is_space(c) && c != 0x1b && c != '\b')
			return true;
	}
	return false;
}

static const char *sniff_text(struct bytes in)
{
	struct bytes head = bytes_sub(in, 0, SNIFF_HEAD);
	if (bytes_starts(head, BYTES_LIT("\xff\xfe")) || bytes_starts(head, BYTES_LIT("\xfe\xff")))
		return "text/plain";
	if (bytes_starts(head, BYTES_LIT("\xef\xbb\xbf")))
		head = bytes_from(head, 3);
	struct bytes text = bytes_trim(head);
	for (size_t i = 0; i < ARRAY_LEN(text_table); i++) {
		if (!bytes_starts_nocase(text, text_table[i].bytes))
			continue;
		if (bytes_eq(text_table[i].bytes, BYTES_LIT("<?xml")) &&
		    bytes_find_nocase(text, BYTES_LIT("<svg")) != BYTES_NONE)
			return "image/svg+xml";
		return text_table[i].type;
	}
	return has_controls(head) ? "application/octet-stream" : "text/plain";
}

/* Text may begin with the few letters that some binary format begins with ("CWS is..."); that format has controls. */
static bool is_magic(struct bytes in, const struct magic *magic)
{
	return has_at(in, magic->at, magic->bytes) &&
	       (magic->bytes.len > 4 || !utf8_is_ascii(magic->bytes) || has_controls(bytes_sub(in, 0, SNIFF_HEAD)));
}

struct sniff sniff_content(struct bytes in)
{
	struct sniff sniff = {.encrypted = SNIFF_UNKNOWN};
	if (in.len == 0)
		return sniff;
	if (has_at(in, 0, BYTES_LIT("PK\3\4")))
		return sniff_zip(in);
	if (has_at(in, 0, BYTES_LIT("PK\5\6")))
		return (struct sniff){"application/zip", SNIFF_PLAIN};
	if (has_at(in, 0, BYTES_LIT("MZ")) && in.len >= 64)
		sniff.type = sniff_mz(in);
	else if (has_at(in, 0, BYTES_LIT("RIFF")))
		sniff.type = sniff_riff(in);
	else if (has_at(in, 0, BYTES_LIT("BM")) && in.len >= 26 && le32(in, 6) == 0)
		sniff.type = "image/bmp";
	else if (has_at(in, 0, BYTES_LIT("\xca\xfe\xba\xbe")) && in.len >= 8) /* fat binaries count few machines */
		sniff.type = in.ptr[7] < 40 && in.ptr[6] == 0 ? "application/x-mach-binary" : "application/java-vm";
	else if (in.len >= 4 && in.ptr[0] == 0xff && (in.ptr[1] & 0xe6) == 0xe2)
		sniff.type = "audio/mpeg"; /* layer III frame */
	else if (in.len > 512 && has_at(in, in.len - 512, BYTES_LIT("koly")))
		sniff.type = "application/x-apple-diskimage";
	else if (in.len > 512 && has_at(in, in.len - 512, BYTES_LIT("conectix")))
		sniff.type = "application/x-vhd";
	for (size_t i = 0; !sniff.type && i < ARRAY_LEN(table); i++)
		if (is_magic(in, &table[i]))
			sniff.type = table[i].type;
	/* The header may stand anywhere in the first kilobyte (PDF 1.7, appendix H, note 13). */
	if (!sniff.type && bytes_find(bytes_sub(in, 0, 1024), BYTES_LIT("%PDF-")) != BYTES_NONE)
		sniff.type = "application/pdf";
	if (!sniff.type)
		sniff.type = sniff_text(in);
	return sniff;
}
