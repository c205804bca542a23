/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "mail/sniff.h"

#include "base/banned.h"

static bool starts_one_of(struct bytes type, const char *list)
{
	struct bytes rest = bytes_from_cstr(list), prefix;
	while (bytes_split(&rest, ' ', &prefix))
		if (bytes_starts(type, prefix))
			return true;
	return false;
}

#define PROGRAMS                                                                                                       \
	"application/vnd.microsoft.portable-executable application/x-dosexec application/x-executable "                \
	"application/x-mach-binary application/x-ms-shortcut application/hta application/java-archive "                \
	"application/vnd.ms-htmlhelp"
#define CONTAINERS                                                                                                     \
	"application/zip application/vnd.rar application/x-7z-compressed application/x-iso9660-image "                 \
	"application/vnd.ms-cab-compressed application/x-ole-storage application/x-ace-compressed text/html "          \
	"application/x-bat"

static bool contradicts(struct bytes extension, struct bytes type)
{
	if (extension_in(extension, "doc docx xls xlsx ppt pptx rtf odt ods odp jtd zip csv"))
		return starts_one_of(type, PROGRAMS);
	if (extension_in(extension, "pdf jpg jpeg png gif bmp tif tiff ico webp mp3 wav mp4 avi mov"))
		return starts_one_of(type, PROGRAMS) || starts_one_of(type, CONTAINERS);
	if (extension_in(extension, "txt log md"))
		return starts_one_of(type, PROGRAMS) ||
		       starts_one_of(type, "application/zip application/vnd.rar application/x-7z-compressed");
	return false;
}

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (part->n_names == 0 || part->content.len < 4)
			continue;
		struct bytes name = part->names[0].text;
		const char *type = sniff_content(part->content).type;
		if (type && contradicts(file_extension(name), bytes_from_cstr(type)))
			scan_evidence(scan, where_text(part, name), name, bytes_from_cstr(type));
	}
	return CHECK_DONE;
}

CHECK_REGISTER(file_type_mismatch){
	.symbol = "FILE_TYPE_MISMATCH",
	.family = "file",
	.stage = STAGE_FILE,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "the content is not what the name says",
	.text_en = "The file {1} is by its content {2}.",
	.text_ja = "ファイル {1} の実際の内容は {2} です。",
	.manual = "Compares the extension with the content for kinds that cannot be mistaken: a picture, sound,"
		  " film, PDF or plain text whose content is a program, an archive, a script or a web page; an "
		  "Office file that is a program. Pictures that are another kind of picture are left out, and "
		  "so are Word files that are RTF or HTML, which is common. Damaged files and those named by "
		  "hand are the honest case.",
};
