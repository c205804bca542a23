/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool is_top(struct bytes label)
{
	return extension_in(label, "com net org gov edu");
}

/* "www.bank.com" in "www.bank.com.evil.example": labels in front of the registrable domain that end in a top level. */
static bool in_host(struct bytes host, struct bytes *ret_name)
{
	struct bytes front = bytes_sub(host, 0, host.len - url_registrable(host).len), rest = front, label;
	size_t before = 0; /* length of the label before */
	while (bytes_split(&rest, '.', &label)) {
		if (before >= 3 && is_top(label)) {
			*ret_name = bytes_sub(front, 0, (size_t)(label.ptr - front.ptr) + label.len);
			return true;
		}
		before = label.len;
	}
	return false;
}

/* "www.bank.com" as a folder. Names of files end in other letters, "com" was one of DOS and is rare in the web. */
static bool in_path(const struct url *url, struct bytes *ret_name)
{
	struct bytes rest = bytes_sub(url->path, 0, 500), segment;
	while (bytes_split(&rest, '/', &segment)) {
		bool www = bytes_starts_nocase(segment, BYTES_LIT("www."));
		size_t dot = bytes_rfind_byte(segment, '.');
		if (www && dot != BYTES_NONE && dot > 4 && is_top(bytes_from(segment, dot + 1)) &&
		    !same_site(segment, url->host)) {
			*ret_name = segment;
			return true;
		}
	}
	return false;
}

static bool name_inside(const struct url *url, struct bytes *ret_name)
{
	/* Pictures are nothing that people read the address of, and caches name the site they stand for. */
	bool read = (url->flags & URL_FROM_HTML) == 0 || url->text.len > 0;
	return in_host(url->host, ret_name) || (read && in_path(url, ret_name));
}

static enum check_step run(struct scan *scan)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	for (size_t i = 0; i < urls->count; i++) {
		const struct url *url = &urls->items[i];
		struct bytes name;
		if (is_web_url(url) && (url->flags & (URL_UNROLLED | URL_IP_HOST)) == 0 && name_inside(url, &name))
			scan_evidence(scan, where_url(url), name, url->host);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_domain_inside){
	.symbol = "URL_DOMAIN_INSIDE",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "a link that carries the name of another site",
	.text_en = "A link to {2} carries the name {1}, which is not where it leads.",
	.text_ja = "{2} へのリンクに、別サイトの名前 {1} が含まれています。",
	.manual = "Looks for what reads like a whole site name in the front part of the host "
		  "(www.bank.com.evil.example) or as a folder of the path (evil.example/www.bank.com/). People "
		  "read from the left and stop there. Archives and caches of web pages, and comparison sites, "
		  "name other sites in the path in earnest.",
};
