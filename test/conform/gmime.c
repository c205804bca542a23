/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GMime reads in the messages named on standard input, one JSON line each: subject, from addresses, and every leaf
 * with type, name, size and SHA-256 of its decoded content. An oracle for conform/gmime.py; the product does not use
 * it.
 */
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* GLib's escaping is not JSON's, so strings go out as base64. */
static void print_string(const char *key, const char *text)
{
	if (!text) {
		printf("\"%s\":null", key);
		return;
	}
	gchar *encoded = g_base64_encode((const guchar *)text, strlen(text));
	printf("\"%s\":\"%s\"", key, encoded);
	g_free(encoded);
}

static void print_addresses(InternetAddressList *list)
{
	bool first = true;
	printf("\"from\":[");
	for (int i = 0; list && i < internet_address_list_length(list); i++) {
		InternetAddress *address = internet_address_list_get_address(list, i);
		if (!INTERNET_ADDRESS_IS_MAILBOX(address))
			continue;
		printf("%s{", first ? "" : ",");
		print_string("name", internet_address_get_name(address));
		printf(",");
		print_string("address", internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address)));
		printf("}");
		first = false;
	}
	printf("]");
}

static void print_leaf(GMimeObject *object, bool *first)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	gchar *name = g_mime_content_type_get_mime_type(type);
	GMimeStream *memory = g_mime_stream_mem_new();
	GMimeDataWrapper *content = GMIME_IS_PART(object) ? g_mime_part_get_content(GMIME_PART(object)) : NULL;
	if (content)
		g_mime_data_wrapper_write_to_stream(content, memory);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
	gchar *hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes->data, bytes->len);
	printf("%s{", *first ? "" : ",");
	print_string("type", name);
	printf(",");
	print_string("name", GMIME_IS_PART(object) ? g_mime_part_get_filename(GMIME_PART(object)) : NULL);
	printf(",\"size\":%u,\"sha256\":\"%s\"}", bytes->len, hash);
	*first = false;
	g_free(hash);
	g_free(name);
	g_object_unref(memory);
}

/* Leaves in order of appearance, by a stack. */
static void print_parts(GMimeObject *root)
{
	GPtrArray *stack = g_ptr_array_new();
	bool first = true;
	printf("\"parts\":[");
	if (root)
		g_ptr_array_add(stack, root);
	while (stack->len > 0) {
		GMimeObject *object = g_ptr_array_remove_index(stack, stack->len - 1);
		if (GMIME_IS_MULTIPART(object)) {
			for (int i = g_mime_multipart_get_count(GMIME_MULTIPART(object)); i-- > 0;)
				g_ptr_array_add(stack, g_mime_multipart_get_part(GMIME_MULTIPART(object), i));
		} else if (GMIME_IS_MESSAGE_PART(object)) {
			GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
			if (inner && g_mime_message_get_mime_part(inner))
				g_ptr_array_add(stack, g_mime_message_get_mime_part(inner));
		} else {
			print_leaf(object, &first);
		}
	}
	printf("]");
	g_ptr_array_free(stack, TRUE);
}

static void read_file(const char *path)
{
	gchar *data = NULL;
	gsize len = 0;
	if (!g_file_get_contents(path, &data, &len, NULL)) {
		printf("null\n");
		return;
	}
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_format(parser,
				 len > 5 && memcmp(data, "From ", 5) == 0 ? GMIME_FORMAT_MBOX : GMIME_FORMAT_MESSAGE);
	g_mime_parser_set_respect_content_length(parser, FALSE);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	if (message) {
		printf("{");
		print_string("subject", g_mime_message_get_subject(message));
		printf(",");
		print_addresses(g_mime_message_get_from(message));
		printf(",");
		print_parts(g_mime_message_get_mime_part(message));
		printf("}\n");
		g_object_unref(message);
	} else {
		printf("null\n");
	}
	g_object_unref(parser);
	g_object_unref(stream);
	g_free(data);
}

int main(void)
{
	char path[4096];
	g_mime_init();
	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = 0;
		read_file(path);
	}
	g_mime_shutdown();
	return 0;
}
