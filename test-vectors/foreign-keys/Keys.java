import java.math.BigInteger;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import javax.crypto.KeyAgreement;
import javax.crypto.spec.DHParameterSpec;

/** Prints the SPKI of a new key and what it agrees on with a peer: java Keys.java P PEER-SPKI BITS, where 0 bits leave the length out. */
class Keys {
    public static void main(String[] arguments) throws Exception {
        BigInteger p = new BigInteger(arguments[0], 16);
        int bits = Integer.parseInt(arguments[2]);
        var parameters = new DHParameterSpec(p, BigInteger.TWO, bits);
        var generator = KeyPairGenerator.getInstance("DiffieHellman");
        generator.initialize(parameters);
        var pair = generator.generateKeyPair();
        byte[] encoded = HexFormat.of().parseHex(arguments[1]);
        PublicKey peer = KeyFactory.getInstance("DiffieHellman").generatePublic(new X509EncodedKeySpec(encoded));
        var agreement = KeyAgreement.getInstance("DiffieHellman");
        agreement.init(pair.getPrivate());
        agreement.doPhase(peer, true);
        System.out.println(HexFormat.of().formatHex(pair.getPublic().getEncoded()));
        System.out.println(HexFormat.of().formatHex(agreement.generateSecret()));
    }
}
