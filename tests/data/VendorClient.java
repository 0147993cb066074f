import java.io.PrintStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Somebody else's client of the API, which shares no line with the package: the signature and the headers of the Java
 * sample in the API document, and both ways in which addresses are joined. It needs the JDK's own classes alone:
 * HttpClient and MessageDigest stand for HttpRequest and SecureUtil.md5 of hutool, which the sample uses.
 *
 *     java VendorClient.java sdk http://127.0.0.1:8080/ document http://127.0.0.1:8080/voice
 *
 * `sdk` joins a base with `voice/sipAdd`, as the vendor's SDK does, `document` with `/sipAdd`, as the document's sample
 * does; `odd` joins as `document` and writes what a server has to take too: names of headers in lower case, the
 * signature in upper case, the quantity as text, and each body only when the server has asked for it. For each it
 * creates a group, lists it, gives its last phone a new password, lists again, and sends what has to be refused. One
 * line for each request, its parts separated by tabs: base, endpoint, HTTP version and status, body.
 * Key and secret come from ITNIO_API_KEY and ITNIO_API_SECRET.
 */
public class VendorClient {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final String APP_ID = "4luaKsL2";
    // The client as it is by default: its first request offers to go on in HTTP/2 (Upgrade: h2c).
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final String style;
    private final String base;
    private final String apiKey = System.getenv("ITNIO_API_KEY");
    private String apiPwd = System.getenv("ITNIO_API_SECRET");

    VendorClient(String style, String base) {
        this.style = style;
        this.base = base;
    }

    public static void main(String[] args) throws Exception {
        for (int at = 0; at < args.length; at += 2) {
            new VendorClient(args[at], args[at + 1]).run("sipGroup" + at / 2, "phone" + at / 2);
        }
    }

    private void run(String group, String phone) throws Exception {
        add(group, phone, 10);
        String account = lastAccount(list());
        reset(account);
        list();
        add(group, phone, 10);
        add(group + "a", phone + "a", 51);
        reset("nobody_has_this");
        apiPwd += "x";
        reset(account);
    }

    private void add(String group, String phone, int quantity) throws Exception {
        String number = isOdd() ? "\"" + quantity + "\"" : String.valueOf(quantity);
        // Not ASCII, in escapes: in which encoding Java reads this file depends on the machine.
        post("sipAdd", "{\"groupName\":\"\u5317\u4eac" + group + "\",\"phoneName\":\"" + phone + "\",\"quantity\":"
                + number + ",\"displayNum\":\"861000000\",\"appId\":\"" + APP_ID + "\"}");
    }

    private String list() throws Exception {
        return post("sipQuery", "{\"current\":1,\"size\":100,\"params\":{\"appId\":\"" + APP_ID + "\"}}");
    }

    private String reset(String account) throws Exception {
        return post("sipReset", "{\"account\":\"" + account + "\",\"appId\":\"" + APP_ID + "\"}");
    }

    private String post(String endpoint, String body) throws Exception {
        String url = style.equals("sdk") ? base + "voice/" + endpoint : base.concat("/" + endpoint);
        String datetime = String.valueOf(
                LocalDateTime.now().atZone(ZoneId.systemDefault()).toInstant().getEpochSecond());
        byte[] text = apiKey.concat(apiPwd).concat(datetime).getBytes(StandardCharsets.UTF_8);
        String sign = String.format("%032x", new BigInteger(1, MessageDigest.getInstance("MD5").digest(text)));
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(20))
                .expectContinue(isOdd())
                .header(name("Content-Type"), "application/json;charset=UTF-8")
                .header(name("Sign"), isOdd() ? sign.toUpperCase(Locale.ROOT) : sign)
                .header(name("Timestamp"), datetime)
                .header(name("Api-Key"), apiKey)
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        String first = response.version() + " " + response.statusCode();
        OUT.println(String.join("\t", base, endpoint, first, response.body()));
        return response.body();
    }

    private boolean isOdd() {
        return style.equals("odd");
    }

    private String name(String header) {
        return isOdd() ? header.toLowerCase(Locale.ROOT) : header;
    }

    private static String lastAccount(String listing) {
        Matcher found = Pattern.compile("\"account\"\\s*:\\s*\"([^\"]*)\"").matcher(listing);
        String account = "";
        while (found.find()) {
            account = found.group(1);
        }
        return account;
    }
}
