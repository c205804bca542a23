/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "mail/sniff.h"

static const struct {
	struct bytes in;
	const char *type;
} cases[] = {
	{BYTES_INIT("%PDF-1.7\n"), "application/pdf"},
	{BYTES_INIT("\n\njunk %PDF-1.7\n"), "application/pdf"},
	{BYTES_INIT("%!PS-Adobe"), "application/postscript"},
	{BYTES_INIT("{\\rtf1 x}"), "application/rtf"},
	{BYTES_INIT("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0"), "application/x-ole-storage"},
	{BYTES_INIT("\x7f"
		    "ELF\2\1\1\0"),
	 "application/x-executable"},
	{BYTES_INIT("\x1f\x8b\x08\0"), "application/gzip"},
	{BYTES_INIT("BZh91AY&SY\1\2"), "application/x-bzip2"},
	{BYTES_INIT("BZh is no archive\n"), "text/plain"},
	{BYTES_INIT("\xfd"
		    "7zXZ\0\0"),
	 "application/x-xz"},
	{BYTES_INIT("7z\xbc\xaf\x27\x1c\0"), "application/x-7z-compressed"},
	{BYTES_INIT("Rar!\x1a\x07\1\0"), "application/vnd.rar"},
	{BYTES_INIT("\x89PNG\r\n\x1a\n\0"), "image/png"},
	{BYTES_INIT("\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg"},
	{BYTES_INIT("GIF89a\1\0"), "image/gif"},
	{BYTES_INIT("ID3\3\0\0\0"), "audio/mpeg"},
	{BYTES_INIT("ID3 tags are fine\n"), "text/plain"},
	{BYTES_INIT("CWS\x09\0\0"), "application/x-shockwave-flash"},
	{BYTES_INIT("FWS means folding white space\n"), "text/plain"},
	{BYTES_INIT("RIFF\1\0\0\0WEBPVP8 "), "image/webp"},
	{BYTES_INIT("\xca\xfe\xba\xbe\0\0\0\x34"), "application/java-vm"},
	{BYTES_INIT("\xca\xfe\xba\xbe\0\0\0\2"), "application/x-mach-binary"},
	{BYTES_INIT("L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F\0"), "application/x-ms-shortcut"},
	{BYTES_INIT("<!DOCTYPE HTML>"), "text/html"},
	{BYTES_INIT("\xef\xbb\xbf \n<html>"), "text/html"},
	{BYTES_INIT("<?xml version='1.0'?><svg/>"), "image/svg+xml"},
	{BYTES_INIT("<?xml version='1.0'?><a/>"), "application/xml"},
	{BYTES_INIT("#!/bin/sh\n"), "text/x-shellscript"},
	{BYTES_INIT("BEGIN:VCALENDAR\n"), "text/calendar"},
	{BYTES_INIT("@ECHO OFF\n"), "application/x-bat"},
	{BYTES_INIT("[InternetShortcut]\n"), "application/x-mswinurl"},
	{BYTES_INIT("Received: from a\n"), "message/rfc822"},
	{BYTES_INIT("\xff\xfe=\0"), "text/plain"},
	{BYTES_INIT("MZ"), "text/plain"},
	{BYTES_INIT("plain words\n"), "text/plain"},
	{BYTES_INIT("Gr\xfc\xdf"
		    "e\n"),
	 "text/plain"},
	{BYTES_INIT("a\0b"), "application/octet-stream"},
	{BYTES_INIT("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "application/zip"},
};

static void types_are_what_the_table_says(void **state)
{
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sniff sniff = sniff_content(cases[i].in);
		if (strcmp(sniff.type, cases[i].type) != 0) {
			print_error("row %zu: got %s, want %s\n", i, sniff.type, cases[i].type);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
	assert_null(sniff_content((struct bytes){0}).type);
}

/* A stored entry without content; the sizes are told in the local header. */
static void add_entry(struct buf *out, const char *name, const char *content, bool encrypted)
{
	uint8_t header[30] = "PK\3\4\x14\0";
	header[6] = encrypted;
	header[18] = header[22] = (uint8_t)strlen(content);
	header[26] = (uint8_t)strlen(name);
	buf_add(out, bytes_make(header, sizeof(header)));
	buf_add_cstr(out, name);
	buf_add_cstr(out, content);
}

static void a_zip_is_what_its_entries_are(void **state)
{
	static const struct {
		const char *first, *second, *content, *type;
	} rows[] = {
		{"a.txt", "b.txt", "x", "application/zip"},
		{"[Content_Types].xml", "word/document.xml", "x",
		 "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"[Content_Types].xml", "xl/workbook.xml", "x",
		 "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"META-INF/MANIFEST.MF", "A.class", "x", "application/java-archive"},
		{"mimetype", "content.xml", "application/vnd.oasis.opendocument.text",
		 "application/vnd.oasis.opendocument.text"},
		{"mimetype", "content.xml", "text/plain", "application/zip"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
			CLEANUP(buf_done) struct buf zip = BUF_INIT(1 << 16);
			add_entry(&zip, rows[i].first, rows[i].content, false);
			add_entry(&zip, rows[i].second, rows[i].content, encrypted);
			struct sniff sniff = sniff_content(buf_bytes(&zip));
			assert_string_equal(sniff.type, rows[i].type);
			assert_int_equal(sniff.encrypted, encrypted ? SNIFF_ENCRYPTED : SNIFF_PLAIN);
		}
	}
}

static void a_windows_program_has_a_pe_header(void **state)
{
	uint8_t program[128] = "MZ";
	(void)state;
	assert_string_equal(sniff_content(bytes_make(program, sizeof(program))).type, "application/x-dosexec");
	program[0x3c] = 64;
	memcpy(program + 64, "PE\0\0", 4);
	assert_string_equal(sniff_content(bytes_make(program, sizeof(program))).type,
			    "application/vnd.microsoft.portable-executable");
	program[0x3c] = 126;
	assert_string_equal(sniff_content(bytes_make(program, sizeof(program))).type, "application/x-dosexec");
}

static void no_cut_of_a_file_is_read_beyond_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = 1; len <= cases[i].in.len; len++) {
			uint8_t copy[64];
			assert_true(len <= sizeof(copy));
			memcpy(copy + sizeof(copy) - len, cases[i].in.ptr, len);
			assert_non_null(sniff_content(bytes_make(copy + sizeof(copy) - len, len)).type);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(types_are_what_the_table_says),
	cmocka_unit_test(a_zip_is_what_its_entries_are),
	cmocka_unit_test(a_windows_program_has_a_pe_header),
	cmocka_unit_test(no_cut_of_a_file_is_read_beyond_its_end),
};
UNIT_MAIN(tests)
