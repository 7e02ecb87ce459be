// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

TEST(Address, only_those_of_the_public_internet_are_public) {
  for (const auto* text :
       {"93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.0.1", "100.128.0.1",
        "2606:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::1", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(is_public(*parse_address(text))) << text;
  }
  for (const auto* text : {"127.0.0.1",
                           "127.255.255.255",
                           "0.0.0.0",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "100.100.100.200",
                           "168.63.129.16",
                           "192.0.0.192",
                           "192.0.2.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "fe80::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "ff02::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "2002:a00:1::1",
                           "2001::1",
                           "2001:db8::1",
                           "3fff::1",
                           "4000::1"}) {
    EXPECT_FALSE(is_public(*parse_address(text))) << text;
  }
}

TEST(Address, texts_are_read_and_written) {
  EXPECT_EQ(text_of(*parse_address("10.0.0.1")), "10.0.0.1");
  EXPECT_EQ(text_of(*parse_address("FD00:0::1")), "fd00::1");
  for (const auto* text : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f.0.0.1", "host", "[::1]"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Address, a_written_address_and_its_odd_forms_resolve_to_it) {
  EXPECT_EQ(text_of(resolve("127.0.0.1")->at(0)), "127.0.0.1");
  EXPECT_EQ(text_of(resolve("127.1")->at(0)), "127.0.0.1");
  EXPECT_EQ(text_of(resolve("2130706433")->at(0)), "127.0.0.1");
  EXPECT_EQ(text_of(resolve("::1")->at(0)), "::1");
}

std::string origin(std::string_view url) {
  const auto found = parse_origin(url);
  if (!found.ok()) return "refused";
  return found->scheme + " " + found->host + " " + std::to_string(found->port);
}

TEST(Origin, names_scheme_host_and_port) {
  EXPECT_EQ(origin("https://example.com"), "https example.com 443");
  EXPECT_EQ(origin("HTTPS://Example.COM:8443/a?b#c"), "https example.com 8443");
  EXPECT_EQ(origin("http://127.0.0.1:/x"), "http 127.0.0.1 80");
  EXPECT_EQ(origin("https://[2606:4700::1111]:444/"), "https 2606:4700::1111 444");
  EXPECT_EQ(origin("https://h/a@b:c"), "https h 443");
  EXPECT_EQ(origin("ftp://h"), "ftp h 0");
}

TEST(Origin, refuses_what_can_be_read_in_two_ways) {
  for (const auto* url : {"",
                          "nonsense",
                          "://h",
                          "https:///x",
                          "https://",
                          "https://user@h",
                          "https://user:p@h",
                          "https://h\\@evil",
                          "https://h /x",
                          "https://h\tx",
                          "https://h\nx",
                          "https://h:0",
                          "https://h:65536",
                          "https://h:x",
                          "https://h:+1",
                          "https://h:1:2",
                          "https://[::1",
                          "https://[]",
                          "https://[1.2.3.4]",
                          "https://[::1]x",
                          "https://%31",
                          "https://h\xC3\xA4",
                          "https://a,b"}) {
    EXPECT_EQ(origin(url), "refused") << url;
  }
}

}  // namespace
}  // namespace ciclo::http
