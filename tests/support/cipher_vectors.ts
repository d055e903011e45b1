/**
 * Published vectors of AES-256-XTS and AES-256-CBC.
 *
 * @module
 */

/** A vector; all but the number is in hexadecimal. */
export interface XtsVector {
  /** Its number in the file. */
  readonly id: number;
  /** Both halves. */
  readonly key: string;
  /** The tweak, up to 16 bytes of it; the others are zeros. */
  readonly tweak: string;
  readonly plain: string;
  readonly cipher: string;
}

/**
 * C2SP Wycheproof, `testvectors_v1/aes_xts_test.json`: all with keys of 512
 * bits and messages of whole units.
 */
export const WYCHEPROOF_XTS: readonly XtsVector[] = [
  {
    id: 53,
    key: "13d69212ec8bb00ed412f66b9c9faccf84449a6e59b0ab1a8f82ec4684b16d67" +
      "556a5a0271666c957024192c1d35a9c09727bf4beb78b05a013bf8b7e932c15e",
    tweak: "595f2e870659f228",
    plain: "438fb4c4c0c5a0f48bb8566d1fd28b0c",
    cipher: "5e349fc677214491c57b86a1dd9b534d",
  },
  {
    id: 69,
    key: "3ccdae78200c3c8dcbead3780b256453494fa49c9c2a9f27d0c2a9e6dfdbb662" +
      "e545d66e9b8598f32bb0cff6c8ebb82d9655af6c5df1163519e3d515638d2df0",
    tweak: "16e4e39222b4dbc7",
    plain: "edd06d38435806ed2856a58ebd5ef75e5df1ae65e70d3d9a7bf50070fa025426",
    cipher: "e2e1e7d48d62a14aaf54eb915718aabf4682d846bf2b1e309697d9dd8416d685",
  },
  {
    id: 71,
    key: "2f0edb567777e7198622bbc03d8281274dfa8478081b4160b2d40f65a133401a" +
      "6e7c3386b732194834df3ad0e3cb0f4eaebf3cef2296c31aec947808137d708a",
    tweak: "337a5bc349b1008e",
    plain: "91194927d27152d919c648ec3530de0d7f280617fcdbb2bc0d164f2c5d81d016" +
      "00925d0f1468640ee5ecb32a3160fd9d",
    cipher: "8fae0ec9108aacf3b9deecd735b755af3018cd6c2098c2154142538acfc1771e" +
      "8d891c078c31ebf9fcc81dde247c13a8",
  },
  {
    id: 73,
    key: "d03a32be387c7db80fcee851bef5eb2ef70d8f26d56b50ea5a7a6b96dc3957de" +
      "3bddeb37a072babafd2786987b3536001cf755ac911e657c1c3980abe084e48d",
    tweak: "d28689895d1cdeb9",
    plain: "91c9b462640ce77e47289a1b4d6f54428e48ec2e039d6e4da5e25ce27655e68a" +
      "df31a26f7ecf4b13d532c8c4f9fb9dc456bf137c0640ff7582f013bff74c0ff0",
    cipher: "87e4c57856090e6b848e4d2bd0df196849601b797bf210c8f9fca02b1dc6218c" +
      "4f39849db77485e9c34e14b59b051dac8be180824a7196317bf4a79daae85d71",
  },
  {
    id: 75,
    key: "573968f2d839f68a81b6781541e4b7c1096065a6642bf8d0f35504e058e7f967" +
      "428ad5e1dd057172073318eebe999957cf9f79756f7fa46ea38f7e3d4cece23b",
    tweak: "f7de8c5421059568",
    plain: "3d6d470bfb7eb2dfc15fa132ddb086ab2b68e655a6f209837900ef436fe59eec" +
      "35cb8708481c2ce1a60be7a5b97a5a88712e7eec2125e9279eef3184deb770b3" +
      "f69a7d994d6950ae573fc4a3a8c9825d95c69992cce71ffccff7b55c7d1e75bc",
    cipher: "302e09a3fc5e731034a3b8cca45d45a9d4a8b3855a643c3d70ad56c175c110ef" +
      "079e8ebad6c2cff509fcf8c55155b19d9f0d71853d614ab69d20a2b3e6486674" +
      "38bb048f5ab3e8c5f720486f99d0c4061dfe0bca152d80cb899071e537e65a83",
  },
  {
    id: 77,
    key: "49ecc17e0f6056e80fac1f23da670d723f5b0201978b17e4311f6af134d455d3" +
      "5adf34da223b973de274ac804669cf778b2e10fd88ad65f2f73dc82a0597a2e1",
    tweak: "df096285442ace33",
    plain: "d0d00ed93004130b12e09d0c5393b2b8a73bbc62ea4f532438f7f56c6b9f08cc" +
      "483c33990a1df69234de412e6a95d5d91798f1fd01583a8e5a1ca7a9b1447375" +
      "5826f8937a0f2b1f05261af18033d7a49c3403edfc8dcc2f6d144c435dfcc2fb" +
      "905555075556666aa58848c163a21fc93d2b7f4e339609d5be20bb591f65874e",
    cipher: "9ae6dc38454632342b4635e52bd912b0a0d836e69ebde2e538f461eba68429f8" +
      "50ea6d138a1481864f7f559e41c036968ebccc6648d151689a119741af5e0f2d" +
      "d5ab215c0bbe6290e248c059435c712f480f26471ec4cbe54b325bd3e7fe8566" +
      "d047019b2bbbb6364efe110fa9c753fd8d21a35a9c356d66e8fc03b99712b559",
  },
  {
    id: 81,
    key: "2e4d2841119294393cef443d71f23145773db1b88a64df570f108dee90b93d0a" +
      "8a1cb2de9bf99f365cc8c94626222ead56e343fcf533b5c042ac18a72bc26db7",
    tweak: "e9",
    plain: "6ef5c535eb6001917252976870bfce3575e097b181dda62fefabd82a1653beaf",
    cipher: "0387327e3c8bb348e43e682cbb17c05f397c23e8cda3a16aca4aa997bbaeb877",
  },
  {
    id: 84,
    key: "c53b75afde18bc541f6a4fa5e1f0edb79ed8a516acdb49abc285b5ddf7aba68e" +
      "0f35f2ae01f74b82ef560e4487af89c03f10cc74ff3484878caae6ad151201f0",
    tweak: "e073",
    plain: "f83256d6fa6f36da6f58da35817d1877563049a28a07ae5d14faf480ccff59df",
    cipher: "862034d4d6fd07be86dfff18dbcf809425e0608f474f238437068c7f29bb5dfa",
  },
  {
    id: 87,
    key: "665da1fb3f742631400eab60c6bb2cc6e1f6b7a849841023beb80c3d38664eb4" +
      "257762bf8520d6cfd14db0fa4fcaf7cbd220beedbf38400bd8e57f6a95e323a7",
    tweak: "b5766e",
    plain: "646d34f935229de5a24c18700b0eaa4cd968eb8f65aceb60fe8cc8e7ec0604c9",
    cipher: "528f90e9289ffb6476a5a2eac7568adbb8030693be6b0ce4c38432995c6e5cfa",
  },
  {
    id: 90,
    key: "2e01176dd925fcff0c5d1f9a611bc9022ed5d5a025269b3889cb7deaa073264f" +
      "57f48915dea0b7fd83b9026302cfcc5b9d37699923345d9923b135f72e1f290b",
    tweak: "a3d4d548",
    plain: "69ef8c19fe3e05d9d44fe7090d61f530583af2092826498d99ec830af9cc6cbe",
    cipher: "0f9eb1090112ec2a521e9787dc68dd3d308670903acccea9cfa8a2daefba3c7a",
  },
  {
    id: 93,
    key: "e8ab47d76039e8e954c520048e6763968050675742a74f5da26f9ef0c83eddd6" +
      "66026b5c255e6f0263b8b5104642f866e952f9721ae503676009f3678fa2c17d",
    tweak: "a7ca879b3a",
    plain: "8404734c2da1518a3e618063b7c49a4e180c312dda0b3c534b94d45725d493a8",
    cipher: "820596c607ae3662336dfd041cace986655fd90c85f030d2879c9b6905d42ca8",
  },
  {
    id: 96,
    key: "af95287f93d83edbc11cd3a2cae3cbba681aebab79c7891baa9f1cc778848055" +
      "5216a6b9cdee6494db82846bf5d42259bcc8ea099f212b47af608fa8b852afba",
    tweak: "e0c6cfd27df5",
    plain: "d883197dc79e3005f1d74d81207af406918d5e6d80f41e08120a0756721da872",
    cipher: "dca05ad1c522c9d80cbbf734f5477d2b118b8c5ecfd55e26693b08e9a1198c68",
  },
  {
    id: 99,
    key: "848036c879c79c10012811d13d90b24d912e672bc73c8b710fb7ce6d73b6b872" +
      "1bf1dc35f60a953e3389f7cae864982622f8c73d62c60bbf697e3393dcdabedb",
    tweak: "9250402efc5c4f",
    plain: "1fc8a7185df65ef7e05645fc1eaad19062d54ac6786ddb909530e4acc75887a9",
    cipher: "f301f6a3b3e7ee42e2da470d19f49d77dc706df140f13eecdcc355f80ddb0fd6",
  },
  {
    id: 102,
    key: "22b2b2b73deebed5466cc7fd03b3192609e72cd9ad383daf1c6a148150774699" +
      "e5efcab4bc758f3865c73569b3dfc90e4c20a10b4551ce1d077eb3fdfe252c1c",
    tweak: "be937123a20aeddf04",
    plain: "2bfe4f70f11b368b8b48b4f874bc9c27857a9ac5506477408cb996f46fc820d1",
    cipher: "c47aa1cebcf2dfd1ab85375c5c7d11a5a31cd44cefd4a00292e3d21b3a38d623",
  },
  {
    id: 105,
    key: "b905a7aeb76fee9832d40199886de2c99730c30732be3d478a404f85939584b9" +
      "9ee1cf9d4834808693639d8ed11bfb58faf73e91af0605af1b9c224a23c5e59f",
    tweak: "5b7c716b932f2e2d1e82",
    plain: "1d2185315e0e7b34f72e7c1272c7d911fc292cb24406f85ca7d4db98fb86b0e3",
    cipher: "c9b7fa565234a3eda6ed6d1373e802803565fe2f224109cff33d9b4526270c7f",
  },
  {
    id: 108,
    key: "9575d6c51621a477dd9509ad5c91a479167c685b1a9e7b593d360bbc75286578" +
      "8a4bbb19d3131a4e2dd07ecefbb9dccbf68b1fb9f7119b5e80473edf4ee06998",
    tweak: "68ffaf1f96575939b7829e",
    plain: "160386bd2884be2cc89955ee608fe60c18fd3390f04de185fe8edfdb235741b3",
    cipher: "5e5eaf6df403cb00280dc336f7801bf005e4587fa1dfc8257dd384f7fb6935f1",
  },
  {
    id: 111,
    key: "794a43a31c533d3099ee45b60e518b084d2facb5c5b5fd19cc2ad4b03a374c63" +
      "7491d94ae151400d325d8cf730d4ab345f3ebefa115be9eeb3a960b53d92b805",
    tweak: "29d7e3372f3f6ddd08bafd05",
    plain: "010ff533a4f1a69899e2171e5e8d210674b77482cf9fb892ce8975f3e75baf69",
    cipher: "da34cf321102ed60744402d16f5548f36e40e181af7b0a921eb7861f33c9b297",
  },
  {
    id: 114,
    key: "5d0f0d71f38a46b3e899a379f41e69ece37ae69ea32889a6d37f2efc0aab2d72" +
      "6f0e52cc82f935e8db27b41c18750e6b8f5e73b16705b91fcf5354c017797c7b",
    tweak: "4a449d268767fb8e8f3cf71749",
    plain: "382f65912f106cab02da1af61cd9279e17cb8c5ba49f56ba52da1315495b2dd5",
    cipher: "054ba090833aa3515711c2303170811f3724a5b4420fc8bb8ca2339a7bce72fb",
  },
  {
    id: 117,
    key: "d40be1b80f1fccf0d9f88e600ed40783e6e29e42a63ed07f6eec2cae1c4be29b" +
      "f20bbbdf9095727488d900cf0b263372571fbce88ab2321e011623c9ccbcc7dd",
    tweak: "b0df8f87983df207cdddaf2bd111",
    plain: "6831e7edba955552004a15b93a906ccde144a834f19114cec0639477434e7d02",
    cipher: "b22c764cd11bd0a8c279bdb2cee221153cbb2b91352984ee19bc5d722a415f5e",
  },
  {
    id: 120,
    key: "42f82641cd8bc47764c6535b60caa457e0d8314a6960f18bd66e84e44f593b02" +
      "4c4919ebf04a1afe6a0429637a1e9a1f631261ae6030833c516c09bc30adee33",
    tweak: "3759ff27b06e6ebedc656e2bfc9de7",
    plain: "b8d820de46cab4ca62215b44577fc3cb626e09ec2c4eec73ee7563874e876fa9",
    cipher: "dccee1212943d7c92995cde6dc9fca622ad336f3f0ff38b46ed1f369d7246a33",
  },
  {
    id: 123,
    key: "27faf97fb303aa4f2f364edd23997f4c77b8e51ebb8293c59dfb1d24f0fb629f" +
      "6c820fc2d91bf48f0035eeec347e37ec4fb0cb36102bcdc5a248c47a2f97eab9",
    tweak: "db8b2586214516c2fc656a3736f29e3b",
    plain: "6b1db0f5a43376885002dc98bd556f1dac9b66b66213a9fa6069df995a123384",
    cipher: "330dbac070c68d68ed49e8ed1827fad7d89eaae55468db5edf488f9647dbcbc9",
  },
];

/**
 * IEEE 1619-2007, annex B, vectors 10 to 14: the key is made of the digits of
 * e and π, the plaintext is 512 bytes 00, 01, …, ff twice over. Of the
 * ciphertext there are the first 32 bytes and the last 16.
 */
export const IEEE_1619_KEY: string =
  "2718281828459045235360287471352662497757247093699959574966967627" +
  "3141592653589793238462643383279502884197169399375105820974944592";
export const IEEE_1619: readonly {
  readonly id: number;
  readonly tweak: string;
  readonly first: string;
  readonly last: string;
}[] = [
  {
    id: 10,
    tweak: "ff",
    first: "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
    last: "c4f36ffda9fcea70b9c6e693e148c151",
  },
  {
    id: 11,
    tweak: "ffff",
    first: "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11",
    last: "a4f9e27b42af8100cb9d59cef9645803",
  },
  {
    id: 12,
    tweak: "ffffff",
    first: "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200",
    last: "2263a1eef52dd6888c309f5a7d712826",
  },
  {
    id: 13,
    tweak: "ffffffff",
    first: "bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5",
    last: "4c82f335abb152c4a93411373aaa8220",
  },
  {
    id: 14,
    tweak: "ffffffffff",
    first: "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23",
    last: "d609d273ad5b0d59631c531f6a0a57b9",
  },
];

/** NIST SP 800-38A, sections F.2.5 and F.2.6: CBC-AES256. */
export const SP_800_38A_CBC = {
  key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
  iv: "000102030405060708090a0b0c0d0e0f",
  plain: "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
  cipher: "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d" +
    "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
} as const;
