/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/auth/keys.h: keys for tests, made for nothing else. The Ed25519 one is that of RFC 8463 A.2.
 */

/* clang-format off */
#define KEY_ED25519 \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
	"-----END PRIVATE KEY-----\n"

#define KEY_RSA_2048 \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCyxCggFTSogwMI\n" \
	"SvngXfxonUPHfHqcgUgarhMBYQlusGEDYdm553PD7jEOMmRkEyAwPBhvl4P6Isch\n" \
	"yGgMEWwiw3kGYCdC+c2Bfe4NGBHbhT8eP7G5Vem7u9J3JGmulxLeUOL0Mqoo7eye\n" \
	"TJAS2U728DNSfnjWNgiDRwEN/weEqtMjY1VnpNQW3qFtrxCZFJkHk2KN81x3akWo\n" \
	"qriBrC7AcQyI6sVisyjKACr6MZD63KW7oICygdI/XvViZZcuDV5gl1rIWGlQz+RB\n" \
	"1Buncz4Ch/v2yYAZXeKJ4x1Np5os5Niu0Rpi13/UuHF2GtDR1pd+Ez93XEiGtdgj\n" \
	"Tt4318P7AgMBAAECggEAMDqNnMI7166o1cbsjSSuIUc0bxBdP/X9Dv2hsQCN++fn\n" \
	"9HKku+v+poCPiYX84abrSzgbW5fkCkrxsGKR95eHtgVIlHjCfuZIFER2QeAZiUD0\n" \
	"m2ORvi+4hGaSzIPtYyXs+D+YS0uT7sDp0ndTc1JfZG2/WuU2Eoy3VTuFxFHmpFrA\n" \
	"3rxRs7C+0dm3mA8WeUJTnb5x/AMmwD1Bl5fAzsL9gYvW3pWXozHZsY1UhdAoBqFU\n" \
	"i+leK0Qe3ZYYzFmri0phk2fnz/nWVd3UxDH3WWibjIaZ5sCFSNcYvdA9EAJ1VSab\n" \
	"dWAI70E+GbRg5/skQJtsqeHqRTod8vSVuLfRwzax8QKBgQD8mSqjIhZk429moRWT\n" \
	"r2S8lISzXk6ipZpDMdoqkz9C1PenxDmD2Dmi2AYbWmjEnzSdNdyxFo5L/KYvfteG\n" \
	"oGkDSqPg7YQ/WDAXY1L4zjsjnbxB6rzUthzg3twPBgmDsRy5G/f1H1OWSIIRev6S\n" \
	"+sWMKnMMSrFcOqWJF8T1esA0UwKBgQC1LHQyryiN1Fgk3fbaqH3hzjrGuNfArUhJ\n" \
	"oTQiSdGWwxosxck+hJbYLdir+pXvv1LLPqG2Ueq4LGGpsTDZ/2c2tBxYtulxfIJm\n" \
	"K6bF7riH5SX7RN9sMmlOn9I9JOPIrhT/PiAhd1Fj+zqjKExLGzkabHLV5l4NbHHx\n" \
	"shwUkMe8uQKBgQDmFOHYbCE3zk5XjhyoRBefCi0BcMJxtiQYVp1hMHRr/K6EeuDk\n" \
	"rhx5rwmI+sX5awayuDAIggIlRsFc+813TD+7Bs7U/6P5SuurMgaOqNMHcxLae+V6\n" \
	"X1NYpMaPTLF36ei+17H47Yrmla8cGwsteAxeyv+2T4bT+ntzr1nxO9k9DwKBgB6O\n" \
	"Mca+jdtlvbvyB4kXM6vaqUUMta6USwXH/0/tHUENBKQac3dsyzgIe2t95r25idAn\n" \
	"bwSdyjVnns0Myk1p6tFqDQHVT4fJVQDASe9F9K9OsVowYnIQCnytLbsMNrKI0Ze+\n" \
	"tZKPWhW/sEMGL9/W5omTUsbKhIBFEu6NeHjrdhRZAoGAbFW3XITkOpDnc7Jb6kvg\n" \
	"AyL/QCtgb7BDCheBLU55uNa74BqvqesYi69nDHBZdBMVScwGW8MU9I/8MoiKwOWw\n" \
	"g46lFsZWXOEE13IQduYh3iv3S6XzHTaxtg57WI1F+8rXHH6ZXwOYWd5d6ISfQg5Z\n" \
	"t95eOqBe0h1LXJqN2cPNGcs=\n" \
	"-----END PRIVATE KEY-----\n"

/* The same in the older form. */
#define KEY_RSA_2048_PKCS1 \
	"-----BEGIN RSA PRIVATE KEY-----\n" \
	"MIIEowIBAAKCAQEAssQoIBU0qIMDCEr54F38aJ1Dx3x6nIFIGq4TAWEJbrBhA2HZ\n" \
	"uedzw+4xDjJkZBMgMDwYb5eD+iLHIchoDBFsIsN5BmAnQvnNgX3uDRgR24U/Hj+x\n" \
	"uVXpu7vSdyRprpcS3lDi9DKqKO3snkyQEtlO9vAzUn541jYIg0cBDf8HhKrTI2NV\n" \
	"Z6TUFt6hba8QmRSZB5NijfNcd2pFqKq4gawuwHEMiOrFYrMoygAq+jGQ+tylu6CA\n" \
	"soHSP171YmWXLg1eYJdayFhpUM/kQdQbp3M+Aof79smAGV3iieMdTaeaLOTYrtEa\n" \
	"Ytd/1LhxdhrQ0daXfhM/d1xIhrXYI07eN9fD+wIDAQABAoIBADA6jZzCO9euqNXG\n" \
	"7I0kriFHNG8QXT/1/Q79obEAjfvn5/RypLvr/qaAj4mF/OGm60s4G1uX5ApK8bBi\n" \
	"kfeXh7YFSJR4wn7mSBREdkHgGYlA9Jtjkb4vuIRmksyD7WMl7Pg/mEtLk+7A6dJ3\n" \
	"U3NSX2Rtv1rlNhKMt1U7hcRR5qRawN68UbOwvtHZt5gPFnlCU52+cfwDJsA9QZeX\n" \
	"wM7C/YGL1t6Vl6Mx2bGNVIXQKAahVIvpXitEHt2WGMxZq4tKYZNn58/51lXd1MQx\n" \
	"91lom4yGmebAhUjXGL3QPRACdVUmm3VgCO9BPhm0YOf7JECbbKnh6kU6HfL0lbi3\n" \
	"0cM2sfECgYEA/JkqoyIWZONvZqEVk69kvJSEs15OoqWaQzHaKpM/QtT3p8Q5g9g5\n" \
	"otgGG1poxJ80nTXcsRaOS/ymL37XhqBpA0qj4O2EP1gwF2NS+M47I528Qeq81LYc\n" \
	"4N7cDwYJg7EcuRv39R9TlkiCEXr+kvrFjCpzDEqxXDqliRfE9XrANFMCgYEAtSx0\n" \
	"Mq8ojdRYJN322qh94c46xrjXwK1ISaE0IknRlsMaLMXJPoSW2C3Yq/qV779Syz6h\n" \
	"tlHquCxhqbEw2f9nNrQcWLbpcXyCZiumxe64h+Ul+0TfbDJpTp/SPSTjyK4U/z4g\n" \
	"IXdRY/s6oyhMSxs5Gmxy1eZeDWxx8bIcFJDHvLkCgYEA5hTh2GwhN85OV44cqEQX\n" \
	"nwotAXDCcbYkGFadYTB0a/yuhHrg5K4cea8JiPrF+WsGsrgwCIICJUbBXPvNd0w/\n" \
	"uwbO1P+j+UrrqzIGjqjTB3MS2nvlel9TWKTGj0yxd+novtex+O2K5pWvHBsLLXgM\n" \
	"Xsr/tk+G0/p7c69Z8TvZPQ8CgYAejjHGvo3bZb278geJFzOr2qlFDLWulEsFx/9P\n" \
	"7R1BDQSkGnN3bMs4CHtrfea9uYnQJ28Enco1Z57NDMpNaerRag0B1U+HyVUAwEnv\n" \
	"RfSvTrFaMGJyEAp8rS27DDayiNGXvrWSj1oVv7BDBi/f1uaJk1LGyoSARRLujXh4\n" \
	"63YUWQKBgGxVt1yE5DqQ53OyW+pL4AMi/0ArYG+wQwoXgS1OebjWu+Aar6nrGIuv\n" \
	"ZwxwWXQTFUnMBlvDFPSP/DKIisDlsIOOpRbGVlzhBNdyEHbmId4r90ul8x02sbYO\n" \
	"e1iNRfvK1xx+mV8DmFneXeiEn0IOWbfeXjqgXtIdS1yajdnDzRnL\n" \
	"-----END RSA PRIVATE KEY-----\n"

#define KEY_RSA_512 \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEAyfjvUZaD2bRmyqTc\n" \
	"4fPM3q+rF6BqeDgJmmWW+g0vZWmtWqUKNHhMxBIsnzAhRJW+p01jrQ+hNZ1tkulC\n" \
	"RRFYoQIDAQABAkEAo5z3MZ6+nMOZaZt4G8qGMfcYoIEg/tZWYS7eyR2ZQYqSXtpL\n" \
	"RuO1HJWeh+8seTURzg5CRbtq24v+0LKnotkuCQIhAPdfVs00hAjNZcDf/OAoAOWI\n" \
	"Ax9k4hSTa6h0bhfhMtDPAiEA0QQ+DhXwD4mRQgxh8GE/ua1nXui5HU7nmxtAwBFB\n" \
	"O48CIDvCNF3uSdc2h1ZIxfYAs/a/HMIAxPzjgCZ5uf7a0EPRAiAhtSZwzRbm2o+j\n" \
	"cC3HP1ewkQdvpeZclKIDQJTjpKS5fwIhAMGCuisKkWxS/uHdbW4YG+gICw6S9JZH\n" \
	"2OXvCManbFOM\n" \
	"-----END PRIVATE KEY-----\n"

#define KEY_EC \
	"-----BEGIN PRIVATE KEY-----\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgY9Knz8aSh3RaL1Ow\n" \
	"MEREEXJ3tfiUs9nr72QQva8dKb2hRANCAAQOA4h5xredpV23XXcLOa0TCYXyR0PB\n" \
	"tCSqzo/xhouxfGqNJnVwKnulCxNbX30hYWPzN47jLSZbxQ6A7xFyehHY\n" \
	"-----END PRIVATE KEY-----\n"

#define KEY_ENCRYPTED \
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" \
	"MIIC3TBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI5lRxN5I5HPkCAggA\n" \
	"MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBCEwS4XO9uZmrAagkzhwqdqBIIC\n" \
	"gBdcoS+r9V05Jen7mi4V9q3pmQM1nX3gET1TvHPpObreo1+PLGOMnAoXwv1Z2n1i\n" \
	"kd1XPttRkJzAELKyLhzePh61RCHIZ3+KG+aXcAQidNHK8SQHUAjooZl0asNeMjXC\n" \
	"nIQo/v/EcOq8X3w0MF7F4hUo/ip6laY8u2MgG/MEgdRpB1WH91YL55K+25L77rRo\n" \
	"Hh2fNjK3clbOWNVZYT9Ce9WBwU7+ixiLYVKq2GjyAt0YysL7/tzu4HMY3S5cDpqR\n" \
	"KCgZk5DCycK8DdhOZ2zYQHmihEj1uOkzH0F20z6yX6956RjgEJaFdDvuqdOQx6MC\n" \
	"cyGibVNN2V/tPNgn3e8dgx0j4kCD+ttN3yGaHBkeT1Wh7QiRmJC6ORiTz3ETY6fF\n" \
	"b0+cdoqi9l3GhhCOP4G/oWT89UI4YGbqXYsmVKo6qkUK/OvGtI7nEbNad99Cfcq+\n" \
	"tFNxA2wpvwUE+g0rybWtJR2L9VckCOB8v+VfbH8xQzC1sXNFo3dd2ndphZ4JVcI8\n" \
	"KGXVJ2oZhL3+HXQHyZXEmmSeB+HXdBYef0nYVGgFX9OaNyWmdb6kFJeZgrwKTps3\n" \
	"EoXLTbGI2sI0KMVUTHeL3n17jixRq5+Yw//jpwm+Oy+nsuOQmjtyTmF7Qt/ZCbRK\n" \
	"PN/K85AxlH1H43opwS62U/RtXY3gZDoLF+8ZsiU4tPP0NXx1Lq5WoANNd4rFz5Ui\n" \
	"CzHri7U3parWnf7/uL273+x44YlCsmlz/Rn17th+8ihKRWZp4bn7HrKOfBwbi5DX\n" \
	"/D+ga3GIKjQHZTq0wyWL7ip0JYBgScbkAwpY7SouluN0dYT+7i+Wv8fAe/YxYH+v\n" \
	"ZoiImEJpqXUcijHiWluYBxo=\n" \
	"-----END ENCRYPTED PRIVATE KEY-----\n"

#define PUBLIC_ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define PUBLIC_RSA_2048 \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAssQoIBU0qIMDCEr54F38aJ1Dx3x6nIFIGq4TAWEJbrBhA2HZuedzw+4x" \
	"DjJkZBMgMDwYb5eD+iLHIchoDBFsIsN5BmAnQvnNgX3uDRgR24U/Hj+xuVXpu7vSdyRprpcS3lDi9DKqKO3snkyQEtlO9vAzUn54" \
	"1jYIg0cBDf8HhKrTI2NVZ6TUFt6hba8QmRSZB5NijfNcd2pFqKq4gawuwHEMiOrFYrMoygAq+jGQ+tylu6CAsoHSP171YmWXLg1e" \
	"YJdayFhpUM/kQdQbp3M+Aof79smAGV3iieMdTaeaLOTYrtEaYtd/1LhxdhrQ0daXfhM/d1xIhrXYI07eN9fD+wIDAQAB"

#define PUBLIC_RSA_512 \
	"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMn471GWg9m0Zsqk3OHzzN6vqxegang4CZpllvoNL2VprVqlCjR4TMQSLJ8wIUSVvqdN" \
	"Y60PoTWdbZLpQkURWKECAwEAAQ=="

#define PUBLIC_RSA_2048_BARE \
	"MIIBCgKCAQEAssQoIBU0qIMDCEr54F38aJ1Dx3x6nIFIGq4TAWEJbrBhA2HZuedzw+4xDjJkZBMgMDwYb5eD+iLHIchoDBFsIsN5" \
	"BmAnQvnNgX3uDRgR24U/Hj+xuVXpu7vSdyRprpcS3lDi9DKqKO3snkyQEtlO9vAzUn541jYIg0cBDf8HhKrTI2NVZ6TUFt6hba8Q" \
	"mRSZB5NijfNcd2pFqKq4gawuwHEMiOrFYrMoygAq+jGQ+tylu6CAsoHSP171YmWXLg1eYJdayFhpUM/kQdQbp3M+Aof79smAGV3i" \
	"ieMdTaeaLOTYrtEaYtd/1LhxdhrQ0daXfhM/d1xIhrXYI07eN9fD+wIDAQAB"

/* clang-format on */
